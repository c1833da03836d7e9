from optimizer.advice.model import Advice as Advice, Setup as Setup, Signals as Signals, Subject as Subject
from optimizer.advice.rules import advise as advise
