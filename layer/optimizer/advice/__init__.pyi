from optimizer.advice.model import Advice as Advice, Signals as Signals, Subject as Subject
from optimizer.advice.rules import advise as advise
