"""A relay on FastStream, as its pages have it for at-least-once delivery: `NACK_ON_ERROR` and as many workers as the
topic has partitions; in order within a partition (its "Concurrent processing" and "Consuming Acknowledgements")."""

from __future__ import annotations

import asyncio
import logging

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from bench.delivery import Settings, delivery


async def main() -> None:
    settings = Settings.told()
    broker = KafkaBroker(settings.bootstrap, log_level=logging.DEBUG)
    async with delivery(settings) as deliver:

        @broker.subscriber(
            settings.topic,
            group_id=settings.group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            max_workers=settings.partitions,
        )
        async def handle(body: bytes) -> None:  # it decodes no `application/cloudevents+json`
            await deliver(body)

        await FastStream(broker).run(log_level=logging.WARNING)


if __name__ == "__main__":
    asyncio.run(main())
