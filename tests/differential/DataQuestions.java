import static org.apache.kafka.common.protocol.ApiKeys.API_VERSIONS;
import static org.apache.kafka.common.protocol.ApiKeys.CREATE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.DELETE_RECORDS;
import static org.apache.kafka.common.protocol.ApiKeys.FETCH;
import static org.apache.kafka.common.protocol.ApiKeys.INIT_PRODUCER_ID;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_OFFSETS;
import static org.apache.kafka.common.protocol.ApiKeys.METADATA;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_FOR_LEADER_EPOCH;
import static org.apache.kafka.common.protocol.ApiKeys.PRODUCE;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** The questions of producers and consumers: versions, metadata, offsets, fetch, produce, producer ids. */
final class DataQuestions {
    /** Long ago, so that the clocks do not matter; retention of these topics is off. */
    private static final long TIME = 1_700_000_000_000L;
    /** The APIs this project declares so far; grows with it. */
    private static final List<String> APIS =
        List.of("0", "1", "2", "3", "8", "9", "10", "11", "12", "13", "14", "15", "16", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "32", "33",
            "35", "37", "42", "44", "47", "57", "60", "61", "65", "66", "74", "75");

    private final Differential both;

    private DataQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        DataQuestions questions = new DataQuestions(both);
        questions.prepare();
        questions.versions();
        questions.metadata();
        questions.listOffsets();
        questions.fetch();
        questions.fetchSessions();
        questions.leaderEpochs();
        questions.producerIds();
        questions.produce();
        questions.deleteRecords();
    }

    private void prepare() throws Exception {
        both.prepare(CREATE_TOPICS, 7, """
            {topics: [
              {name: 'full', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [{name: 'retention.ms', value: '-1'}]},
              {name: 'empty', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{name: 'retention.ms', value: '-1'}]},
              {name: 'compacted', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{name: 'cleanup.policy', value: 'compact'}]},
              {name: 'append-time', numPartitions: 1, replicationFactor: 1, assignments: [],
                configs: [{name: 'message.timestamp.type', value: 'LogAppendTime'}]}],
             timeoutMs: 30000, validateOnly: false}""");
        settle("full", 0);
        settle("full", 1);
        settle("empty", 0);
        settle("compacted", 0);
        settle("append-time", 0);
        both.kafka.learnTopicIds();
        both.ringmill.learnTopicIds();
        for (int i = 0; i < 3; i++) {
            both.prepare(PRODUCE, 12, produceRequest("full", 0, -1, records(TIME + i * 10, 3)));
        }
        both.prepare(PRODUCE, 12, produceRequest("full", 1, -1, encode(MemoryRecords.withRecords(Compression.gzip().build(), record(TIME + 5), record(TIME)))));
    }

    /** Waits until the partition has a leader at both. */
    private void settle(String topic, int partition) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            for (int tries = 0; error(peer.ask(LIST_OFFSETS, (short) 10, offsetsRequest(topic, partition, -1, -1))) != 0; tries++) {
                Cases.check(peer.name + " has no leader for " + topic, tries < 5_000);
                Thread.sleep(10);
            }
        }
    }

    private static String deletion(String partitions) {
        return "{topics: [{name: 'trimmed', partitions: [" + partitions + "]}], timeoutMs: 30000}";
    }

    private static String deletion(String topic, long offset) {
        return "{topics: [{name: '" + topic + "', partitions: [{partitionIndex: 0, offset: " + offset + "}]}], timeoutMs: 30000}";
    }

    /** Log starts that move, and what everything else says of a log that begins later; retention itself is not waited for. */
    private void deleteRecords() throws Exception {
        both.prepare(CREATE_TOPICS, 7, """
            {topics: [
              {name: 'trimmed', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [{name: 'retention.ms', value: '-1'}]},
              {name: 'keyed', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{name: 'cleanup.policy', value: 'compact'}]},
              {name: 'keyed-and-trimmed', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [
                {name: 'cleanup.policy', value: 'compact,delete'}, {name: 'retention.ms', value: '-1'}]}],
             timeoutMs: 30000, validateOnly: false}""");
        for (String topic : List.of("trimmed", "keyed", "keyed-and-trimmed")) {
            settle(topic, 0);
        }
        settle("trimmed", 1);
        both.kafka.learnTopicIds();
        both.ringmill.learnTopicIds();
        for (String topic : List.of("trimmed", "trimmed", "keyed", "keyed-and-trimmed")) {
            both.prepare(PRODUCE, 12, produceRequest(topic, 0, -1, records(TIME, 3)));
        }
        both.compare("nothing to delete", DELETE_RECORDS, 0, 2, deletion("trimmed", 0));
        for (long offset : new long[] {-2, Long.MIN_VALUE, 7, Long.MAX_VALUE}) {
            both.compare("up to " + offset + ", which is not there", DELETE_RECORDS, 0, 2, deletion("trimmed", offset));
        }
        both.compare("up to inside a batch", DELETE_RECORDS, 0, 2, deletion("trimmed", 2));
        both.compare("up to below the log start", DELETE_RECORDS, 0, 2, deletion("trimmed", 1));
        both.compare("a partition twice, one that is empty and two that are not there", DELETE_RECORDS, 0, 2, deletion(
            "{partitionIndex: 0, offset: 4}, {partitionIndex: 0, offset: 3}, {partitionIndex: 1, offset: 0}, {partitionIndex: 2, offset: 0}, {partitionIndex: -1, offset: 0}"));
        both.compare("topics twice, absent, without a name and without partitions", DELETE_RECORDS, 0, 2, """
            {topics: [{name: 'trimmed', partitions: [{partitionIndex: 0, offset: 4}]}, {name: 'trimmed', partitions: [{partitionIndex: 1, offset: 0}]},
              {name: 'absent', partitions: [{partitionIndex: 0, offset: 1}]}, {name: '', partitions: [{partitionIndex: 0, offset: 1}]},
              {name: 'keyed', partitions: []}], timeoutMs: 30000}""");
        both.compare("no topics", DELETE_RECORDS, 0, 2, "{topics: [], timeoutMs: -1}");
        both.compare("of a compacted topic", DELETE_RECORDS, 0, 2, deletion("keyed", 1));
        both.compare("of a compacted topic, more than there is", DELETE_RECORDS, 0, 2, deletion("keyed", 100));
        both.compare("of a topic with both policies", DELETE_RECORDS, 0, 2, deletion("keyed-and-trimmed", 1));
        both.compare("of the cluster's metadata", DELETE_RECORDS, 0, 2, deletion("__cluster_metadata", 1));
        afterDeletion("a log that begins inside a batch");
        both.compare("up to the high watermark", DELETE_RECORDS, 0, 2, deletion("trimmed", -1));
        afterDeletion("a log without records");
    }

    private void afterDeletion(String what) {
        for (long timestamp : new long[] {-2, -1, -3, -4, 0, TIME, TIME + 2, TIME + 3}) {
            both.compare(what + ": offset at " + timestamp, LIST_OFFSETS, 8, 10, offsetsRequest("trimmed", 0, timestamp, -1));
        }
        for (long offset : new long[] {0, 3, 4, 6, 7}) {
            both.compare(what + ": fetch from " + offset, FETCH, 4, 18, fetchRequest("trimmed", 0, offset, 100_000, -1, 0, -1));
        }
        both.compare(what + ": end of its epoch", OFFSET_FOR_LEADER_EPOCH, 2, 4, """
            {replicaId: -1, topics: [{topic: 'trimmed', partitions: [{partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0}]}]}""");
    }

    private static int error(JsonNode offsets) {
        return offsets.at("/topics/0/partitions/0/errorCode").asInt();
    }

    static SimpleRecord record(long timestamp) {
        return new SimpleRecord(timestamp, "key".getBytes(), ("value at " + timestamp).getBytes());
    }

    static String records(long timestamp, int count) {
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            records[i] = record(timestamp + i);
        }
        return encode(MemoryRecords.withRecords(Compression.NONE, records));
    }

    static String encode(MemoryRecords records) {
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    static String produceRequest(String topic, int partition, int acks, String records) {
        return "{transactionalId: null, acks: %d, timeoutMs: 30000, topicData: [{name: '%s', topicId: '$id:%s', partitionData: [{index: %d, records: %s}]}]}"
            .formatted(acks, topic, topic, partition, records == null ? "null" : "'" + records + "'");
    }

    private static String offsetsRequest(String topic, int partition, long timestamp, int epoch) {
        return """
            {replicaId: -1, isolationLevel: 0, timeoutMs: 1000, topics: [{name: '%s', partitions: [
              {partitionIndex: %d, currentLeaderEpoch: %d, timestamp: %d}]}]}""".formatted(topic, partition, epoch, timestamp);
    }

    private void versions() {
        // Only what this project declares so far; everything else that Kafka offers is absent until it works.
        both.compare("ranges of the APIs declared", API_VERSIONS, 0, 4, "{clientSoftwareName: 'differential', clientSoftwareVersion: '1'}",
            (peer, answer) -> Differential.retain(answer.get("apiKeys"), "apiKey", APIS));
        both.compare("a name with a slash", API_VERSIONS, 3, 4, "{clientSoftwareName: 'a/b', clientSoftwareVersion: '1'}",
            (peer, answer) -> Differential.retain(answer.get("apiKeys"), "apiKey", APIS));
        both.compare("no name", API_VERSIONS, 3, 4, "{clientSoftwareName: '', clientSoftwareVersion: ''}",
            (peer, answer) -> Differential.retain(answer.get("apiKeys"), "apiKey", APIS));
    }

    private static String metadataRequest(String topics, boolean create) {
        return "{topics: " + topics + ", allowAutoTopicCreation: " + create
            + ", includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false}";
    }

    private static String named(String... names) {
        StringBuilder topics = new StringBuilder("[");
        for (String name : names) {
            topics.append("{topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name: '").append(name).append("'},");
        }
        return topics.substring(0, topics.length() - 1) + "]";
    }

    private void metadata() {
        both.compare("all topics", METADATA, 1, 13, metadataRequest("null", true));
        both.compare("all topics, as version 0 asks", METADATA, 0, 0, metadataRequest("[]", true));
        both.compare("no topics", METADATA, 1, 13, metadataRequest("[]", true));
        both.compare("some topics, one of them twice", METADATA, 0, 13, metadataRequest(named("full", "empty", "full"), true));
        both.compare("unknown topics, not to be created", METADATA, 4, 13, metadataRequest(named("absent", "full"), false));
        for (String name : List.of("bad name", "", ".", "..", "x".repeat(250), "\u00fcmlaut")) {
            both.compare("the invalid name '" + brief(name) + "', to be created", METADATA, 0, 13, metadataRequest(named(name), true));
            both.compare("the invalid name '" + brief(name) + "'", METADATA, 4, 13, metadataRequest(named(name), false));
        }
        both.compare("by id", METADATA, 12, 13, metadataRequest("[{topicId: '$id:full', name: null}]", false));
        both.compare("by an unknown id", METADATA, 12, 13, metadataRequest("[{topicId: 'BBBBBBBBBBBBBBBBBBBBBA', name: null}]", false));
        both.compare("by id and name", METADATA, 12, 13, metadataRequest("[{topicId: '$id:full', name: 'full'}]", false));
        both.compare("by id and another name", METADATA, 12, 13, metadataRequest("[{topicId: '$id:full', name: 'empty'}]", false));
        // Neither id nor name is not asked: Apache Kafka answers UNKNOWN_SERVER_ERROR.
        both.compare("with authorized operations", METADATA, 8, 10,
            "{topics: " + named("full") + ", allowAutoTopicCreation: false, includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true}");
    }

    private static String brief(String name) {
        return name.length() > 20 ? name.substring(0, 20) + "..." : name;
    }

    private void listOffsets() {
        for (long timestamp : new long[] {-1, -2, 0, TIME, TIME + 1, TIME + 11, TIME + 22, TIME + 23, Long.MAX_VALUE}) {
            both.compare("of timestamp " + timestamp, LIST_OFFSETS, 1, 11, offsetsRequest("full", 0, timestamp, -1));
            both.compare("of timestamp " + timestamp + " in a compressed batch", LIST_OFFSETS, 1, 11, offsetsRequest("full", 1, timestamp, -1));
            both.compare("of timestamp " + timestamp + " in an empty log", LIST_OFFSETS, 1, 11, offsetsRequest("empty", 0, timestamp, -1));
        }
        for (long timestamp : new long[] {-3, -4, -5, -6, -7, -100, Long.MIN_VALUE}) {
            both.compare("of special timestamp " + timestamp, LIST_OFFSETS, 1, 11, offsetsRequest("full", 0, timestamp, -1));
            both.compare("of special timestamp " + timestamp + " in an empty log", LIST_OFFSETS, 7, 11, offsetsRequest("empty", 0, timestamp, -1));
        }
        both.compare("max timestamp that is not the last record's", LIST_OFFSETS, 7, 11, offsetsRequest("full", 1, -3, -1));
        both.compare("of an unknown topic", LIST_OFFSETS, 1, 11, offsetsRequest("absent", 0, -1, -1));
        both.compare("of an invalid topic", LIST_OFFSETS, 1, 11, offsetsRequest("bad name", 0, -1, -1));
        both.compare("of an unknown partition", LIST_OFFSETS, 1, 11, offsetsRequest("full", 99, -1, -1));
        both.compare("of a negative partition", LIST_OFFSETS, 1, 11, offsetsRequest("full", -1, -1, -1));
        both.compare("in the leader's epoch", LIST_OFFSETS, 4, 11, offsetsRequest("full", 0, -1, 0));
        both.compare("in a later epoch", LIST_OFFSETS, 4, 11, offsetsRequest("full", 0, -1, 9));
        String twice = "{partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1}";
        both.compare("of one partition twice", LIST_OFFSETS, 1, 11,
            "{replicaId: -1, isolationLevel: 0, timeoutMs: 1000, topics: [{name: 'full', partitions: [" + twice + "," + twice + "]}]}");
    }

    private static String fetchRequest(String topic, int partition, long offset, int maxBytes, int epoch, int session, int sessionEpoch) {
        return fetchRequest("{topic: '%s', topicId: '$id:%s', partitions: [{partition: %d, currentLeaderEpoch: %d, fetchOffset: %d, lastFetchedEpoch: -1, logStartOffset: -1, partitionMaxBytes: %d, replicaDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA'}]}"
            .formatted(topic, topic, partition, epoch, offset, maxBytes), "" + session, sessionEpoch, 0, 1);
    }

    private static String fetchRequest(String topics, String session, int sessionEpoch, int maxWait, int minBytes) {
        return "{replicaId: -1, maxWaitMs: %d, minBytes: %d, maxBytes: 1000000, isolationLevel: 0, sessionId: %s, sessionEpoch: %d, topics: [%s], forgottenTopicsData: [], rackId: ''}"
            .formatted(maxWait, minBytes, session, sessionEpoch, topics);
    }

    private void fetch() {
        for (long offset : new long[] {0, 1, 2, 3, 7, 8, 9, 10, 1_000, -1, Long.MAX_VALUE}) {
            both.compare("at offset " + offset, FETCH, 4, 18, fetchRequest("full", 0, offset, 1_000_000, -1, 0, -1));
        }
        both.compare("of a compressed batch, in its middle", FETCH, 4, 18, fetchRequest("full", 1, 1, 1_000_000, -1, 0, -1));
        both.compare("of an empty log", FETCH, 4, 18, fetchRequest("empty", 0, 0, 1_000_000, -1, 0, -1));
        both.compare("of at most 1 byte", FETCH, 4, 18, fetchRequest("full", 0, 0, 1, -1, 0, -1));
        both.compare("of at most 150 bytes", FETCH, 4, 18, fetchRequest("full", 0, 0, 150, -1, 0, -1));
        both.compare("of at most 0 bytes", FETCH, 4, 18, fetchRequest("full", 0, 0, 0, -1, 0, -1));
        both.compare("of an unknown topic", FETCH, 4, 12, fetchRequest("absent", 0, 0, 1000, -1, 0, -1));
        both.compare("of an invalid topic", FETCH, 4, 12, fetchRequest("bad name", 0, 0, 1000, -1, 0, -1));
        both.compare("of an unknown id", FETCH, 13, 18, fetchRequest("full", 0, 0, 1000, -1, 0, -1).replace("$id:full", "BBBBBBBBBBBBBBBBBBBBBA"));
        both.compare("of a zero id", FETCH, 13, 18, fetchRequest("full", 0, 0, 1000, -1, 0, -1).replace("$id:full", "AAAAAAAAAAAAAAAAAAAAAA"));
        both.compare("of an unknown partition", FETCH, 4, 18, fetchRequest("full", 99, 0, 1000, -1, 0, -1));
        both.compare("of a negative partition", FETCH, 4, 18, fetchRequest("full", -1, 0, 1000, -1, 0, -1));
        both.compare("in the leader's epoch", FETCH, 9, 18, fetchRequest("full", 0, 0, 1000, 0, 0, -1));
        both.compare("in a later epoch", FETCH, 9, 18, fetchRequest("full", 0, 0, 1000, 9, 0, -1));
        both.compare("with a last fetched epoch", FETCH, 12, 18,
            fetchRequest("full", 0, 5, 1000, 0, 0, -1).replace("lastFetchedEpoch: -1", "lastFetchedEpoch: 0"));
        both.compare("with a last fetched epoch that is later", FETCH, 12, 18,
            fetchRequest("full", 0, 5, 1000, 0, 0, -1).replace("lastFetchedEpoch: -1", "lastFetchedEpoch: 7"));
        both.compare("of nothing", FETCH, 4, 18, fetchRequest("", "0", -1, 0, 1));
    }

    private void fetchSessions() {
        both.compare("with a session that does not exist", FETCH, 7, 18, fetchRequest("full", 0, 0, 1000, -1, 123456, 5));
        both.compare("with a negative session epoch", FETCH, 7, 18, fetchRequest("full", 0, 0, 1000, -1, 0, -5));
        both.compare("with an epoch but no session", FETCH, 7, 18, fetchRequest("full", 0, 0, 1000, -1, 0, 3));
        for (int version : new int[] {7, 12, 13, 18}) {
            String wanted = fetchRequest("full", 0, 7, 1_000_000, -1, 0, 0);
            both.compare("that opens a session", FETCH, version, version, wanted, (peer, answer) -> peer.sessionId = answer.path("sessionId").asText());
            both.compare("of what is still new in the session", FETCH, version, version, fetchRequest("", "$session", 1, 0, 1));
            String moved = fetchRequest("full", 0, 9, 1_000_000, -1, 0, 0).replace("sessionId: 0, sessionEpoch: 0", "sessionId: $session, sessionEpoch: 2");
            both.compare("at the end, where nothing is new", FETCH, version, version, moved);
            both.compare("in the session's next epoch, of nothing new", FETCH, version, version, fetchRequest("", "$session", 3, 0, 1));
            both.compare("in an epoch that is not the session's next", FETCH, version, version, fetchRequest("", "$session", 3, 0, 1));
            both.compare("that closes the session", FETCH, version, version, fetchRequest("", "$session", -1, 0, 1));
            both.compare("in a closed session", FETCH, version, version, fetchRequest("", "$session", 4, 0, 1));
        }
    }

    private void leaderEpochs() {
        for (String topic : List.of("full", "empty", "absent")) {
            for (int partition : new int[] {0, 99}) {
                for (int epoch : new int[] {0, 1, 100, -1}) {
                    both.compare("of " + topic + "-" + partition + ", epoch " + epoch, OFFSET_FOR_LEADER_EPOCH, 2, 4, epochRequest(topic, partition, -1, epoch));
                }
            }
        }
        both.compare("in a later epoch", OFFSET_FOR_LEADER_EPOCH, 2, 4, epochRequest("full", 0, 9, 0));
        both.compare("in the leader's epoch", OFFSET_FOR_LEADER_EPOCH, 2, 4, epochRequest("full", 0, 0, 0));
    }

    private static String epochRequest(String topic, int partition, int current, int epoch) {
        return "{replicaId: -1, topics: [{topic: '%s', partitions: [{partition: %d, currentLeaderEpoch: %d, leaderEpoch: %d}]}]}"
            .formatted(topic, partition, current, epoch);
    }

    private void producerIds() throws Exception {
        String request = "{transactionalId: %s, transactionTimeoutMs: 1000, producerId: %s, producerEpoch: %d, enable2Pc: false, keepPreparedTxn: false}";
        // Apache Kafka loads a block of ids first.
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            for (int tries = 0; peer.ask(INIT_PRODUCER_ID, (short) 4, request.formatted("null", "-1", -1)).path("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " gives no producer id", tries < 5_000);
                Thread.sleep(10);
            }
        }
        both.compare("a new one", INIT_PRODUCER_ID, 0, 5, request.formatted("null", "-1", -1),
            (peer, answer) -> peer.producerId = answer.path("producerId").asText());
        both.compare("with an epoch but no id", INIT_PRODUCER_ID, 3, 5, request.formatted("null", "-1", 5));
        both.compare("with an id but no epoch", INIT_PRODUCER_ID, 3, 5, request.formatted("null", "$producer", -1));
        both.compare("with an id and an epoch", INIT_PRODUCER_ID, 3, 5, request.formatted("null", "$producer", 3));
        both.compare("for an empty transactional id", INIT_PRODUCER_ID, 0, 5, request.formatted("''", "-1", -1));
    }

    private void produce() {
        String good = records(TIME, 1);
        both.compare("to an unknown topic", PRODUCE, 3, 12, produceRequest("absent", 0, -1, good));
        both.compare("to an invalid topic", PRODUCE, 3, 12, produceRequest("bad name", 0, -1, good));
        both.compare("to an unknown id", PRODUCE, 13, 13, produceRequest("full", 0, -1, good).replace("$id:full", "BBBBBBBBBBBBBBBBBBBBBA"));
        both.compare("to a zero id", PRODUCE, 13, 13, produceRequest("full", 0, -1, good).replace("$id:full", "AAAAAAAAAAAAAAAAAAAAAA"));
        both.compare("to an unknown partition", PRODUCE, 3, 13, produceRequest("full", 99, -1, good));
        both.compare("with acks=7", PRODUCE, 3, 13, produceRequest("full", 0, 7, good));
        both.compare("of no records", PRODUCE, 3, 13, produceRequest("full", 0, -1, ""));
        // Null records are not asked of Apache Kafka: it never answers them, and the connection hangs.
        both.compare("far ahead of time", PRODUCE, 3, 13, produceRequest("full", 0, -1, records(System.currentTimeMillis() + 86_400_000L, 2)), DataQuestions::withoutLogStart);
        both.compare("of zstd", PRODUCE, 3, 13, produceRequest("empty", 0, -1, encode(MemoryRecords.withRecords(Compression.zstd().build(), record(TIME)))));
        both.compare("without a key to a compacted topic", PRODUCE, 3, 13, produceRequest("compacted", 0, -1,
            encode(MemoryRecords.withRecords(Compression.NONE, record(TIME), new SimpleRecord(TIME, "keyless".getBytes()), record(TIME)))), DataQuestions::withoutLogStart);
        both.compare("with LogAppendTime", PRODUCE, 3, 13, produceRequest("append-time", 0, -1, good));
        both.compare("with acks=1", PRODUCE, 3, 13, produceRequest("empty", 0, 1, good));
        byte[] damaged = Base64.getDecoder().decode(good);
        damaged[damaged.length - 1] ^= 1;
        both.compare("of damaged records", PRODUCE, 3, 13, produceRequest("full", 0, -1, Base64.getEncoder().encodeToString(damaged)));
        // Sequences: an unknown producer's first may be any; then a gap, a duplicate and an older epoch.
        sequenced("5 of a producer that is new here", 4711, 1, 5);
        sequenced("5 again, a duplicate", 4711, 1, 5);
        sequenced("9, after a gap", 4711, 1, 9);
        sequenced("6 of an older epoch", 4711, 0, 6);
        sequenced("6 of a newer epoch, which must begin with 0", 4711, 2, 6);
        both.compare("in a transaction that it names none of", PRODUCE, 3, 13, produceRequest("full", 2, -1,
            encode(MemoryRecords.withTransactionalRecords(Compression.NONE, 4712, (short) 0, 0, record(TIME)))));
    }

    /** Ringmill refuses records before they reach the core that owns the partition and knows where its log starts. */
    private static void withoutLogStart(Peer peer, JsonNode answer) {
        for (JsonNode partition : answer.at("/responses/0/partitionResponses")) {
            ((ObjectNode) partition).remove("logStartOffset");
        }
    }

    private void sequenced(String what, long id, int epoch, int sequence) {
        String records = encode(MemoryRecords.withIdempotentRecords(Compression.NONE, id, (short) epoch, sequence, record(TIME)));
        both.compare("of sequence " + what, PRODUCE, 12, 12, produceRequest("full", 2, -1, records));
    }
}
