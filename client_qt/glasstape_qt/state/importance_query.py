"""What the importance page asks for."""

from dataclasses import dataclass

from glasstape import Client, Importance, WindowFilter

VALIDATION = -1
"""Instead of days: the validation period of the model."""
PERIODS = (30, 7, 90, 365, VALIDATION)
"""Days that can be selected."""


@dataclass(frozen=True)
class ImportanceQuery:
    """Selected windows."""

    model: str = ""
    """"name@version"; "": the active model."""
    symbol: str = ""
    """"": all."""
    direction: str = ""
    """Predicted class, in lower case; "": all."""
    days: int = PERIODS[0]
    """Length of the period, or `VALIDATION`."""
    compared: bool = False
    """Whether to compare with the period before."""
    permutation: bool = False

    @property
    def can_compare(self) -> bool:
        """Whether there is a period before: before validation lies what the model was trained on."""
        return self.days != VALIDATION

    def run(self, client: Client) -> Importance:
        """Ask a server.

        Raises:
            GlasstapeError: the call failed.
        """
        reference = self._filter() if self.compared and self.can_compare else None
        return client.importance(
            self._filter(), reference=reference, model=self.model, permutation=self.permutation
        )

    def _filter(self) -> WindowFilter:
        validation = self.days == VALIDATION
        return WindowFilter(
            symbols=(self.symbol,) if self.symbol else (),
            directions=(self.direction,) if self.direction else (),
            validation=validation,
            days=0 if validation else self.days,
        )
