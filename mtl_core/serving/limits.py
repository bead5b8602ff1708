"""What a server takes, and how long it works on it."""

from dataclasses import dataclass

from mtl_core.errors import MtlError


@dataclass(frozen=True)
class Limits:
    """What a server takes, and how long it works on it.

    Attributes:
        max_text: Characters of a text.
        max_texts: Texts of a request.
        max_bytes: Bytes of a request's body.
        max_upload: The same where plugins take files.
        max_waiting: Texts that may wait for the network; a request that does not find room is refused.
        timeout: Seconds after which a request is given up.
        batch_wait: Seconds that a text waits for company, at most, while the network is idle.
        batch_size: Texts that the network reads at a time.
    """

    max_text: int = 20_000
    max_texts: int = 256
    max_bytes: int = 2_000_000
    max_upload: int = 100_000_000
    max_waiting: int = 1024
    timeout: float = 30.0
    batch_wait: float = 0.0
    batch_size: int = 32

    def told(self) -> dict[str, int | float]:
        """What a client should know of them."""
        return {
            "max_text": self.max_text,
            "max_texts": self.max_texts,
            "max_bytes": self.max_bytes,
            "timeout": self.timeout,
        }

    def check(self) -> None:
        """Refuse limits that contradict each other.

        Raises:
            MtlError: If a request that is allowed could never find room.
        """
        if self.max_texts > self.max_waiting:
            raise MtlError(
                f"--max-texts {self.max_texts}: more than --max-waiting {self.max_waiting}; such a request could "
                "never be taken"
            )
