"""Which feature views there are: one line each."""

from inference.datasets.market_features import DIRECTION, REGIME, VOLATILITY
from inference.datasets.path_views import PATH_STATE, RECENT_RETURNS
from inference.datasets.views import FeatureView
from inference.errors import BadModel

VIEWS: dict[str, FeatureView] = {
    view.key: view
    for view in (
        VOLATILITY,
        REGIME,
        DIRECTION,
        PATH_STATE,
        RECENT_RETURNS,
    )
}


def view_for(key: str) -> FeatureView:
    """Return one view.

    Raises:
        BadModel: there is no such view.
    """
    if key not in VIEWS:
        raise BadModel(f"there is no feature view {key!r}; there are: {', '.join(VIEWS)}")
    return VIEWS[key]
