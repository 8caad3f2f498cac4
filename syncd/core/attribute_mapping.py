"""What one SCIM attribute is made of: an expression or a constant, a default, and when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncd.core.comparison import is_blank
from syncd.core.expressions import Template, Unmappable
from syncd.core.functions import OddValueError
from syncd.core.terms import Attribute, as_text
from syncd.model import AppUser, Scalar


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for everybody."""

    constant: Scalar
    references: tuple[Attribute, ...] = field(default=(), init=False, repr=False, compare=False)
    plain: None = field(default=None, init=False, repr=False, compare=False)

    def evaluate(self, _: AppUser) -> Scalar:
        return self.constant

    def __str__(self) -> str:
        return as_text(self.constant)


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """What one SCIM attribute is made of. `default` takes the place of a blank; `on_create`: sent when the account is
    made or first adopted, and neither compared nor written ever after.
    """

    expression: Template | Constant
    default: Scalar | None = None
    on_create: bool = False

    @property
    def plain(self) -> str | None:
        """The name of the app-profile attribute that is taken as it is, where that is all."""
        named = self.expression.plain
        return named.name if type(named) is Attribute and self.default is None else None

    @property
    def filled_in(self) -> frozenset[str]:
        """Values that do not come from the person: the default, a constant, what a switch says."""
        expression = self.expression
        said = (
            [as_text(expression.constant)] if isinstance(expression, Constant) else expression.fixed_results
        )
        return frozenset([*said, *([] if self.default is None else [as_text(self.default)])])

    def input(self, record: AppUser) -> dict[str, object]:
        """Everything that it reads, as Okta has it; None where it has nothing, or did not show it."""
        return {each.name: each.shown(record) for each in self.expression.references}

    def value(self, record: AppUser) -> Scalar | Unmappable | None:
        """None when not set. Raises nothing."""
        try:
            return self.reader()(record)
        except OddValueError as problem:
            return Unmappable(str(problem))

    def reader(self) -> Callable[[AppUser], Scalar | None]:
        """What evaluates it: everybody is mapped. Raises OddValueError."""
        evaluate, default = self.expression.evaluate, self.default
        if default is None:
            return evaluate

        def read(record: AppUser) -> Scalar | None:
            found = evaluate(record)
            return default if is_blank(found) else found

        return read

    def __str__(self) -> str:
        """As the settings say it, the shortest way: equal texts are equal mappings."""
        expression = self.expression
        if isinstance(expression, Template) and self.default is None and not self.on_create:
            return expression.source
        source = (
            {"value": expression.constant}
            if isinstance(expression, Constant)
            else {"from": expression.source}
        )
        default = {} if self.default is None else {"default": self.default}
        return inline_table({**source, **default, **({"on": "create"} if self.on_create else {})})


def quoted(text: str) -> str:
    """A TOML string: in ' where that spares escapes."""
    if '"' in text and "'" not in text and "\\" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def inline_table(parts: Mapping[str, Scalar]) -> str:
    """TOML's, of plain values."""
    shown = ", ".join(
        f"{key} = {quoted(value) if isinstance(value, str) else as_text(value)}"
        for key, value in parts.items()
    )
    return f"{{ {shown} }}"


def mapping_of(text: str) -> AttributeMapping:
    """The common form: an attribute, or a template. Raises ExpressionError."""
    return AttributeMapping(Template(text))
