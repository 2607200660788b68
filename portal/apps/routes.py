"""Everything under `/apps/{app_id}`."""

from portal.apps.demo.routes import ROUTES as DEMO
from portal.apps.keys.routes import ROUTES as KEYS
from portal.apps.keys.signing import ROUTES as SIGNING
from portal.apps.overview.routes import ROUTES as OVERVIEW
from portal.apps.plan.routes import ROUTES as PLAN
from portal.apps.quickstart.routes import ROUTES as QUICKSTART
from portal.apps.settings.deeds import ROUTES as DEEDS
from portal.apps.settings.routes import ROUTES as SETTINGS
from portal.apps.spend.routes import ROUTES as SPEND
from portal.apps.usage.routes import ROUTES as USAGE

ROUTES = [*OVERVIEW, *QUICKSTART, *KEYS, *SIGNING, *USAGE, *PLAN, *SPEND, *DEMO, *SETTINGS, *DEEDS]
