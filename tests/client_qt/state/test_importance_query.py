import pytest
from glasstape import WindowFilter
from glasstape_qt.state.importance_query import PERIODS, VALIDATION, ImportanceQuery


class Client:
    def importance(self, *filters, **options):
        return filters, options


@pytest.mark.parametrize("days", PERIODS)
def test_a_comparison_is_with_the_same_windows_of_the_period_before(days):
    query = ImportanceQuery(
        model="m@1", symbol="A", direction="up", days=days, compared=True, permutation=True
    )
    (wanted,), options = query.run(Client())
    assert wanted.symbols == ("A",)
    assert wanted.directions == ("up",)
    assert (options["model"], options["permutation"]) == ("m@1", True)
    if days == VALIDATION:
        assert (wanted.validation, options["reference"]) == (True, None)
    else:
        assert wanted.days == days
        assert options["reference"] == wanted


def test_nothing_selected_is_every_window():
    (wanted,), options = ImportanceQuery().run(Client())
    assert wanted == WindowFilter(days=30)
    assert options["reference"] is None
