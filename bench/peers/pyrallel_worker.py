"""A relay on Pyrallel Consumer, as its README has it: `key_hash` ordering (its default) and the asynchronous engine."""

from __future__ import annotations

import asyncio

from pyrallel_consumer.config import KafkaConfig
from pyrallel_consumer.consumer import PyrallelConsumer
from pyrallel_consumer.dto import ExecutionMode, OrderingMode, WorkItem

from bench.delivery import Settings, delivery


async def main() -> None:
    settings = Settings.told()
    config = KafkaConfig(BOOTSTRAP_SERVERS=settings.bootstrap, CONSUMER_GROUP=settings.group)
    # Not the text "key_hash", as its README has it: it is compared with the enumeration, and no order is kept then.
    config.parallel_consumer.ordering_mode = OrderingMode.KEY_HASH
    config.parallel_consumer.execution.mode = ExecutionMode.ASYNC
    async with delivery(settings) as deliver:

        async def work(item: WorkItem) -> None:
            await deliver(item.payload)

        consumer = PyrallelConsumer(config=config, worker=work, topic=settings.topic)
        await consumer.start()
        await consumer.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
