"""The worker that most would write: each event one call, in order by key, the offset committed after the batch.

It is what Calends is measured against, so it is written with care and with what the libraries offer as they come. It
has no ledger and no dead letters, merges nothing, and after a crash it repeats what it had not committed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from bench.delivery import Delivery, Settings, delivery


async def main() -> None:
    settings = Settings.told()
    consumer = AIOKafkaConsumer(
        settings.topic,
        bootstrap_servers=settings.bootstrap,
        group_id=settings.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        async with delivery(settings) as deliver:
            while True:
                await _batch(consumer, deliver)
    finally:
        await consumer.stop()


async def _batch(consumer: AIOKafkaConsumer, deliver: Delivery) -> None:
    batches = await consumer.getmany(timeout_ms=200, max_records=500)
    if batches:
        keys = _by_key(record for batch in batches.values() for record in batch)
        await asyncio.gather(*(_in_order(deliver, records) for records in keys))
        await consumer.commit()


def _by_key(records: Iterable[ConsumerRecord]) -> Iterable[Sequence[ConsumerRecord]]:
    keys: defaultdict[bytes | None, list[ConsumerRecord]] = defaultdict(list)
    for record in records:
        keys[record.key].append(record)
    return keys.values()


async def _in_order(deliver: Delivery, records: Sequence[ConsumerRecord]) -> None:
    for record in records:
        await deliver(record.value)


if __name__ == "__main__":
    asyncio.run(main())
