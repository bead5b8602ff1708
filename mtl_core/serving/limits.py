"""Limits of the size and duration of requests."""

from dataclasses import dataclass

from mtl_core.errors import MtlError


@dataclass(frozen=True)
class Limits:
    """Limits of the size and duration of requests.

    Attributes:
        max_text_length: Maximum characters per text.
        max_texts: Maximum texts per request.
        max_bytes: Maximum bytes per request body.
        max_upload: Maximum bytes per request body on paths of plugins that accept files.
        max_queue: Maximum texts in the queue; a request that does not fit is refused.
        timeout: Seconds until a request times out.
        max_batch_delay: Maximum seconds that the first text of a batch waits for more texts while the network is
            idle.
        batch_size: Maximum texts per batch of the network.
    """

    max_text_length: int = 20_000
    max_texts: int = 256
    max_bytes: int = 2_000_000
    max_upload: int = 100_000_000
    max_queue: int = 1024
    timeout: float = 30.0
    max_batch_delay: float = 0.0
    batch_size: int = 32

    def to_dict(self) -> dict[str, int | float]:
        """Return the limits that clients need, by name."""
        return {
            "max_text": self.max_text_length,
            "max_texts": self.max_texts,
            "max_bytes": self.max_bytes,
            "timeout": self.timeout,
        }

    def validate(self) -> None:
        """Check that the limits are consistent.

        Raises:
            MtlError: If a valid request can exceed the queue.
        """
        if self.max_texts > self.max_queue:
            raise MtlError(
                f"--max-texts {self.max_texts}: more than --max-queue {self.max_queue}; such a request would "
                "never fit into the queue"
            )
