"""Whether an answer's signature lets it through."""

from __future__ import annotations

from dataclasses import dataclass

from zeroth.errors import ExitCode, UserError
from zeroth.keys.signing import SIGNATURE_SUFFIX, PublicKey, Purpose, verify
from zeroth.spec.fetch.found import Found

__all__ = ["SigningRule"]


@dataclass(frozen=True)
class SigningRule:
    """By which keys an answer may be signed, and whether it must be.

    :ivar keys: those of the medium: of its image, and those embedded in it.
    :ivar required: an answer without a signature is refused, wherever it comes from.
    """

    keys: tuple[PublicKey, ...] = ()
    required: bool = False

    @property
    def looks(self) -> bool:
        """Whether a signature matters, so that one is looked for beside the answer."""
        return self.required or bool(self.keys)

    def check(self, found: Found) -> str:
        """Let an answer through; returns who signed it, for people, and nothing when nobody did.

        A signature that is there must be good, also where none is needed.

        :raises UserError: it is refused.
        """
        if not self.looks:
            return ""
        if found.signature:
            verified = verify(found.data, found.signature, self.keys, Purpose.ANSWER, where=found.origin)
            signer = verified.key
            # Whoever serves answers could give that of another host, which is signed as well.
            other = f", as {verified.name}" if verified.name != found.name else ""
            return f"signed by {signer.name}" + (f" ({signer.comment})" if signer.comment else "") + other
        if not self.required:
            return ""
        raise UserError(
            f"the answer is not signed ({found.origin or found.name}), and only a signed one is taken",
            f"Sign it (zeroth answer sign), and put {found.name}{SIGNATURE_SUFFIX} beside it.",
            code=ExitCode.INPUT,
        )
