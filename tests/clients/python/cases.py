"""kafka-python against a broker: produce, consume by assignment, offsets, admin. Arguments: bootstrap.

Prints each case as tests/stage.sh does.
"""

import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import CommitFailedError, MessageSizeTooLargeError, RebalanceInProgressError, TopicAlreadyExistsError

BOOTSTRAP = sys.argv[1]


def producer(**settings):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **settings)


def consumer(**settings):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, consumer_timeout_ms=120000, **settings)


def send(topic, values, **settings):
    client = producer(**settings)
    futures = [client.send(topic, value=value, partition=0) for value in values]
    client.flush()
    offsets = [future.get(timeout=120).offset for future in futures]
    client.close()
    return offsets


def receive(topic, count, offset=0):
    client = consumer()
    partition = TopicPartition(topic, 0)
    client.assign([partition])
    client.seek(partition, offset)
    records = []
    for record in client:
        records.append(record)
        if len(records) == count:
            break
    client.close()
    assert len(records) == count, f"{len(records)} of {count} records came"
    return records


def produces_and_consumes():
    values = [b"record %d" % i for i in range(5000)]
    assert send("python-simple", values) == list(range(5000))
    records = receive("python-simple", 5000)
    assert [record.value for record in records] == values
    assert [record.offset for record in records] == list(range(5000))


def codec(name):
    values = [b"a value that compresses well well well %d" % i for i in range(5000)]
    send(f"python-{name}", values, compression_type=name, linger_ms=5)
    assert [record.value for record in receive(f"python-{name}", 5000)] == values


def acks(count):
    send(f"python-acks-{count}", [b"one", b"two"], acks=count, enable_idempotence=False)
    assert [record.value for record in receive(f"python-acks-{count}", 2)] == [b"one", b"two"]


def idempotent_is_the_default():
    assert KafkaProducer.DEFAULT_CONFIG["enable_idempotence"]
    values = [b"%d" % i for i in range(3000)]
    assert send("python-idempotent", values, batch_size=200, linger_ms=0) == list(range(3000))
    assert [record.value for record in receive("python-idempotent", 3000)] == values


def keys_and_headers():
    client = producer()
    headers = [("a", b"1"), ("b", b""), ("a", b"2")]
    client.send("python-headers", key=b"k", value=None, headers=headers, partition=0, timestamp_ms=1234567890123).get(timeout=120)
    client.close()
    record = receive("python-headers", 1)[0]
    assert (record.key, record.value, record.timestamp) == (b"k", None, 1234567890123)
    assert list(record.headers) == headers, record.headers


def offsets_and_times():
    client = producer()
    for i in range(100):
        client.send("python-times", value=b"%d" % i, partition=0, timestamp_ms=1700000000000 + i * 1000)
    client.flush()
    client.close()
    partition = TopicPartition("python-times", 0)
    reader = consumer()
    assert reader.beginning_offsets([partition]) == {partition: 0}
    assert reader.end_offsets([partition]) == {partition: 100}
    found = reader.offsets_for_times({partition: 1700000000000 + 41500})
    assert (found[partition].offset, found[partition].timestamp) == (42, 1700000042000)
    assert reader.offsets_for_times({partition: 1700000200000})[partition] is None
    reader.close()
    assert receive("python-times", 1, offset=57)[0].value == b"57"


def too_large_is_refused():
    try:
        send("python-large", [bytes(2_000_000)], max_request_size=5_000_000)
        raise AssertionError("2 MB were accepted")
    except MessageSizeTooLargeError:
        pass
    assert send("python-large", [bytes(1_000_000)]) == [0]


def admin_topics():
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic("python-admin", 3, 1, topic_configs={"retention.ms": "3600000"})])
    try:
        admin.create_topics([NewTopic("python-admin", 3, 1)])
        raise AssertionError("the topic was created twice")
    except TopicAlreadyExistsError:
        pass
    assert "python-admin" in admin.list_topics()
    admin.create_partitions({"python-admin": NewPartitions(5)})
    partitions = admin.describe_topics(["python-admin"])[0]["partitions"]
    assert len(partitions) == 5, partitions
    resource = ConfigResource(ConfigResourceType.TOPIC, "python-admin")
    assert "3600000" in str(admin.describe_configs([resource]))
    admin.delete_topics(["python-admin"])
    deadline = time.monotonic() + 120
    while "python-admin" in admin.list_topics():
        assert time.monotonic() < deadline, "the deleted topic is still listed"
    admin.close()


def admin_cluster():
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    cluster = admin.describe_cluster()
    assert len(cluster["brokers"]) == 1 and cluster["controller_id"] == cluster["brokers"][0]["broker_id"], cluster
    assert "python-simple" in str(admin.describe_log_dirs())
    admin.close()


def poll_until(clients, done, seconds=240):
    """Polls all of them at once, as clients in processes of their own do, until `done()`; the records that came, by client.

    In turn they would not do: on a slow machine they did not come to share their topic for minutes.
    """
    deadline = time.monotonic() + seconds
    came = {client: [] for client in clients}
    with ThreadPoolExecutor(len(clients)) as threads:
        while True:
            assert time.monotonic() < deadline, f"not done after {seconds} s"
            for client, polled in zip(clients, threads.map(lambda client: client.poll(timeout_ms=1000), clients)):
                came[client].extend(record.value for records in polled.values() for record in records)
            if done(came):
                return came


def group_consumer(group, topic, **settings):
    client = consumer(group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=120000, **settings)
    client.subscribe([topic])
    return client


def shared_to(clients, end):
    """Whether each of them has as many of the four partitions, and all are read to their ends."""
    partitions = [(client, partition) for client in clients for partition in client.assignment()]
    equally = all(len(client.assignment()) * len(clients) == 4 for client in clients)
    return equally and sum(client.position(partition) for client, partition in partitions) == end


def commit(clients, end):
    """A slow machine's members may have begun another rebalance by now: then they end it and read again what is not committed."""
    deadline = time.monotonic() + 240
    while True:
        try:
            for client in clients:
                client.commit()
            return
        except (CommitFailedError, RebalanceInProgressError):
            assert time.monotonic() < deadline, "the group does not settle"
            poll_until(clients, lambda came: shared_to(clients, end))


def a_group_shares_a_topic_and_goes_on_where_it_was():
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic("python-group", 4, 1)])
    client = producer()
    for i in range(400):
        client.send("python-group", value=b"%d" % i, partition=i % 4)
    client.flush()
    first, second = group_consumer("python-g", "python-group"), group_consumer("python-g", "python-group")
    both = [first, second]
    came = poll_until(both, lambda came: shared_to(both, 400) and sum(map(len, came.values())) >= 400)
    assert {value for values in came.values() for value in values} == {b"%d" % i for i in range(400)}
    assert not first.assignment() & second.assignment()
    commit(both, 400)
    first.close()
    poll_until([second], lambda came: len(second.assignment()) == 4)
    second.close()
    for i in range(4):
        client.send("python-group", value=b"more %d" % i, partition=i)
    client.close()
    third = group_consumer("python-g", "python-group")
    came = poll_until([third], lambda came: len(came[third]) >= 4)
    assert sorted(came[third]) == [b"more %d" % i for i in range(4)], came[third]
    third.close()
    admin.close()


def offsets_are_committed_with_their_metadata():
    partition = TopicPartition("python-group", 1)
    client = consumer(group_id="python-offsets", enable_auto_commit=False)
    client.assign([partition])
    assert client.committed(partition) is None
    client.commit({partition: OffsetAndMetadata(42, "a note", -1)})
    assert client.committed(partition) == 42
    client.close()
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    assert "a note" in str(admin.list_group_offsets("python-offsets"))
    assert "python-offsets" in str(admin.list_groups())
    admin.delete_groups(["python-offsets"])
    assert "python-offsets" not in str(admin.list_groups())
    admin.close()


CASES = [
    ("produces and consumes by assignment", produces_and_consumes),
    *[(f"codec {name}", lambda name=name: codec(name)) for name in ("gzip", "snappy", "lz4", "zstd")],
    *[(f"acks={count}", lambda count=count: acks(count)) for count in (0, 1, "all")],
    ("idempotence is the default, small batches keep their order", idempotent_is_the_default),
    ("keys, headers and timestamps", keys_and_headers),
    ("offsets and times", offsets_and_times),
    ("a record above max.message.bytes is refused", too_large_is_refused),
    ("admin creates, grows, describes and deletes topics", admin_topics),
    ("admin describes cluster and log dirs", admin_cluster),
    ("a group shares a topic and goes on where it was", a_group_shares_a_topic_and_goes_on_where_it_was),
    ("offsets are committed with their metadata", offsets_are_committed_with_their_metadata),
]


def main():
    failed = 0
    for name, case in CASES:
        began = time.monotonic()
        try:
            case()
            word = "ok    "
        except Exception:  # a case may fail in any way; all are counted
            word = "FAILED"
            failed += 1
            traceback.print_exc(file=sys.stdout)
        print(f"    {word}  {int((time.monotonic() - began) * 1000):6d} ms  {name}", flush=True)
    return 1 if failed else 0


sys.exit(main())
