from optimizer.indexes.model.catalog import Catalog as Catalog
from optimizer.indexes.model.finding import Action as Action, Finding as Finding
