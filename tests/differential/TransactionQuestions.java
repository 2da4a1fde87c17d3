import static org.apache.kafka.common.protocol.ApiKeys.ADD_OFFSETS_TO_TXN;
import static org.apache.kafka.common.protocol.ApiKeys.ADD_PARTITIONS_TO_TXN;
import static org.apache.kafka.common.protocol.ApiKeys.CREATE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_PRODUCERS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_TRANSACTIONS;
import static org.apache.kafka.common.protocol.ApiKeys.END_TXN;
import static org.apache.kafka.common.protocol.ApiKeys.FETCH;
import static org.apache.kafka.common.protocol.ApiKeys.FIND_COORDINATOR;
import static org.apache.kafka.common.protocol.ApiKeys.INIT_PRODUCER_ID;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_TRANSACTIONS;
import static org.apache.kafka.common.protocol.ApiKeys.PRODUCE;
import static org.apache.kafka.common.protocol.ApiKeys.TXN_OFFSET_COMMIT;
import static org.apache.kafka.common.protocol.ApiKeys.WRITE_TXN_MARKERS;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.List;
import java.util.function.BiConsumer;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** The questions of producers with transactions: every error code that can be had without a crash, in every version. */
final class TransactionQuestions {
    private final Differential both;

    private TransactionQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        TransactionQuestions questions = new TransactionQuestions(both);
        questions.prepare();
        questions.strangers();
        questions.producers();
        questions.records();
        questions.oldClients();
        questions.offsets();
        questions.administration();
    }

    private void prepare() throws Exception {
        // The records are of 1970: retention, whose first look is 30 s after the start, would take them away while they are asked for.
        both.prepare(CREATE_TOPICS, 7, """
            {topics: [{name: 'txn', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [{name: 'retention.ms', value: '-1'}]}],
             timeoutMs: 30000, validateOnly: false}""");
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            String find = "{keyType: 1, coordinatorKeys: ['t']}";
            for (int tries = 0; peer.ask(FIND_COORDINATOR, (short) 4, find).get("coordinators").get(0).get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " has no coordinator", tries < 500);
                Thread.sleep(20);
            }
            String group = "{keyType: 0, coordinatorKeys: ['g']}";
            for (int tries = 0; peer.ask(FIND_COORDINATOR, (short) 4, group).get("coordinators").get(0).get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " has no coordinator of groups", tries < 500);
                Thread.sleep(20);
            }
            for (int tries = 0; peer.ask(LIST_GROUPS, (short) 4, "{statesFilter: []}").get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " does not load its groups", tries < 500);
                Thread.sleep(20);
            }
            for (int tries = 0; peer.ask(LIST_TRANSACTIONS, (short) 1, list("", -1)).get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " does not load its transactions", tries < 500);
                Thread.sleep(20);
            }
        }
        both.kafka.learnTopicIds();
        both.ringmill.learnTopicIds();
        begin("t", 0);
    }

    private static String init(String id, int timeout, String producer, int epoch) {
        return "{transactionalId: %s, transactionTimeoutMs: %d, producerId: %s, producerEpoch: %d}".formatted(id, timeout, producer, epoch);
    }

    /** Gives both a producer of this id, in this epoch; no transaction is under way afterwards. */
    private void begin(String id, int epoch) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            JsonNode answer;
            int tries = 0;
            do {
                answer = peer.ask(INIT_PRODUCER_ID, (short) 2, init("'" + id + "'", 60000, "-1", -1));
                Cases.check(peer.name + " gives no producer: " + answer, tries++ < 500);
                Thread.sleep(10);
            } while (answer.get("errorCode").asInt() != 0);
            Cases.equal("epoch of " + peer.name, epoch, answer.get("producerEpoch").asInt());
            peer.producerId = answer.get("producerId").asText();
        }
    }

    /** Waits until the markers of the last transaction of this id are written. */
    private void settle(String id) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            for (int tries = 0; ; tries++) {
                JsonNode state = peer.ask(DESCRIBE_TRANSACTIONS, (short) 0, "{transactionalIds: ['%s']}".formatted(id)).get("transactionStates").get(0);
                if (!state.get("transactionState").asText().startsWith("Prepare")) {
                    break;
                }
                Cases.check(peer.name + " does not complete " + state, tries < 500);
                Thread.sleep(10);
            }
        }
    }

    private static final BiConsumer<Peer, JsonNode> TIMELESS =
        (peer, answer) -> remove(answer, "lastTimestamp", "transactionStartTimeMs", "coordinatorEpoch", "port", "nodeId", "errorMessage");

    private static void remove(JsonNode node, String... fields) {
        if (node instanceof ObjectNode object) {
            object.remove(List.of(fields));
        }
        node.forEach(child -> remove(child, fields));
    }

    private static String oldAdd(String id, String producer, int epoch, String topics) {
        return """
            {v3AndBelowTransactionalId: '%s', v3AndBelowProducerId: %s, v3AndBelowProducerEpoch: %d, v3AndBelowTopics: [%s]}"""
            .formatted(id, producer, epoch, topics);
    }

    private static String add(String id, String producer, int epoch, boolean verify, String topics) {
        return "{transactions: [{transactionalId: '%s', producerId: %s, producerEpoch: %d, verifyOnly: %s, topics: [%s]}]}"
            .formatted(id, producer, epoch, verify, topics);
    }

    private static String topic(String name, String partitions) {
        return "{name: '%s', partitions: [%s]}".formatted(name, partitions);
    }

    private static String addOffsets(String id, String producer, int epoch, String group) {
        return "{transactionalId: '%s', producerId: %s, producerEpoch: %d, groupId: '%s'}".formatted(id, producer, epoch, group);
    }

    private static String end(String id, String producer, int epoch, boolean committed) {
        return "{transactionalId: '%s', producerId: %s, producerEpoch: %d, committed: %s}".formatted(id, producer, epoch, committed);
    }

    private static String commit(String id, String group, String producer, int epoch, String topic) {
        return """
            {transactionalId: '%s', groupId: '%s', producerId: %s, producerEpoch: %d, generationId: -1, memberId: '', groupInstanceId: null,
             topics: [{name: '%s', partitions: [{partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: 'm'}]}]}"""
            .formatted(id, group, producer, epoch, topic);
    }

    private static String list(String states, int duration) {
        return "{stateFilters: [%s], producerIdFilters: [], durationFilter: %d, transactionalIdPattern: null}".formatted(states, duration);
    }

    private static String describeProducers(String topic, String partitions) {
        return "{topics: [{name: '%s', partitionIndexes: [%s]}]}".formatted(topic, partitions);
    }

    /** One question of all versions of AddPartitionsToTxn, AddOffsetsToTxn, EndTxn and TxnOffsetCommit. */
    private void compareAll(String name, String id, String producer, int epoch) {
        both.compare(name, ADD_PARTITIONS_TO_TXN, 0, 3, oldAdd(id, producer, epoch, topic("txn", "0")));
        both.compare(name, ADD_PARTITIONS_TO_TXN, 4, 5, add(id, producer, epoch, false, topic("txn", "0")));
        both.compare(name + ", asked only", ADD_PARTITIONS_TO_TXN, 4, 5, add(id, producer, epoch, true, topic("txn", "0, 1")));
        both.compare(name, ADD_OFFSETS_TO_TXN, 0, 4, addOffsets(id, producer, epoch, "g"));
        both.compare(name, END_TXN, 0, 5, end(id, producer, epoch, true));
        both.compare(name + ", aborted", END_TXN, 0, 5, end(id, producer, epoch, false));
        both.compare(name, TXN_OFFSET_COMMIT, 0, 5, commit(id, "g", producer, epoch, "txn"));
    }

    /** Who nobody knows. */
    private void strangers() {
        both.compare("a coordinator", FIND_COORDINATOR, 1, 3, "{key: 't', keyType: 1}", TIMELESS);
        both.compare("coordinators", FIND_COORDINATOR, 4, 6, "{keyType: 1, coordinatorKeys: ['t', 'u', '']}", TIMELESS);
        both.compare("an empty id", INIT_PRODUCER_ID, 0, 5, init("''", 60000, "-1", -1));
        both.compare("no time", INIT_PRODUCER_ID, 0, 5, init("'bad'", 0, "-1", -1));
        both.compare("too much time", INIT_PRODUCER_ID, 0, 5, init("'bad'", 900001, "-1", -1));
        both.compare("an epoch without a producer", INIT_PRODUCER_ID, 3, 5, init("'bad'", 60000, "-1", 3));
        both.compare("a producer without an epoch", INIT_PRODUCER_ID, 3, 5, init("'bad'", 60000, "5", -1));
        compareAll("an unknown id", "unknown", "5", 0);
        compareAll("an empty id", "", "5", 0);
        compareAll("another producer", "t", "987654", 0);
        compareAll("no producer", "t", "-1", -1);
        both.compare("an unknown id", DESCRIBE_TRANSACTIONS, 0, 0, "{transactionalIds: ['unknown', '']}", TIMELESS);
        both.compare("an unknown topic", DESCRIBE_PRODUCERS, 0, 0, describeProducers("none", "0"));
        both.compare("an unknown partition", DESCRIBE_PRODUCERS, 0, 0, describeProducers("txn", "0, 9"));
        both.compare("unknown states", LIST_TRANSACTIONS, 0, 2, list("'Bad', 'Empty', 'Dead'", -1));
        both.compare("a bad pattern", LIST_TRANSACTIONS, 2, 2,
            "{stateFilters: [], producerIdFilters: [], durationFilter: -1, transactionalIdPattern: '('}");
    }

    /** A producer and what is asked of its transactions. */
    private void producers() throws Exception {
        both.compare("a newer epoch", ADD_PARTITIONS_TO_TXN, 0, 3, oldAdd("t", "$producer", 1, topic("txn", "0")));
        compareAll("a newer epoch", "t", "$producer", 1);
        both.compare("a topic that is not there", ADD_PARTITIONS_TO_TXN, 0, 3, oldAdd("t", "$producer", 0, topic("txn", "0, 9") + "," + topic("none", "0")));
        both.compare("a topic that is not there", ADD_PARTITIONS_TO_TXN, 4, 5, add("t", "$producer", 0, false, topic("txn", "0, 9") + "," + topic("none", "0")));
        both.compare("not in", ADD_PARTITIONS_TO_TXN, 4, 5, add("t", "$producer", 0, true, topic("txn", "0")));
        both.compare("a commit of nothing", END_TXN, 0, 5, end("t", "$producer", 0, true));
        both.compare("an abort of nothing", END_TXN, 0, 4, end("t", "$producer", 0, false));
        both.compare("of an empty one", DESCRIBE_TRANSACTIONS, 0, 0, "{transactionalIds: ['t']}", TIMELESS);
        both.compare("a partition", ADD_PARTITIONS_TO_TXN, 0, 3, oldAdd("t", "$producer", 0, topic("txn", "0")));
        both.compare("a partition again", ADD_PARTITIONS_TO_TXN, 4, 5, add("t", "$producer", 0, false, topic("txn", "0, 1")));
        both.compare("in and not in", ADD_PARTITIONS_TO_TXN, 4, 5, add("t", "$producer", 0, true, topic("txn", "0, 2")));
        both.compare("a group", ADD_OFFSETS_TO_TXN, 0, 4, addOffsets("t", "$producer", 0, "g"));
        both.compare("of an open one", DESCRIBE_TRANSACTIONS, 0, 0, "{transactionalIds: ['t']}",
            (peer, answer) -> remove(answer, "transactionStartTimeMs", "topics"));
        both.compare("open ones", LIST_TRANSACTIONS, 0, 2, list("'Ongoing'", -1));
        both.compare("none open for long", LIST_TRANSACTIONS, 1, 2, list("'Ongoing'", 3600000));
        both.compare("a commit", END_TXN, 1, 1, end("t", "$producer", 0, true));
        settle("t");
        both.compare("a commit again", END_TXN, 0, 4, end("t", "$producer", 0, true));
        both.compare("an abort after a commit", END_TXN, 0, 4, end("t", "$producer", 0, false));
        both.compare("of a committed one", DESCRIBE_TRANSACTIONS, 0, 0, "{transactionalIds: ['t']}", TIMELESS);
        begin("t", 1);
        compareAll("an old epoch", "t", "$producer", 0);
        both.compare("a producer that names itself", INIT_PRODUCER_ID, 5, 5, init("'t'", 60000, "$producer", 1));
        both.compare("and again", INIT_PRODUCER_ID, 5, 5, init("'t'", 60000, "$producer", 1));
        both.compare("a producer that is old", INIT_PRODUCER_ID, 3, 5, init("'t'", 60000, "$producer", 0));
        both.compare("another producer", INIT_PRODUCER_ID, 3, 5, init("'t'", 60000, "987654", 0));
    }

    private String produce(String id, int version, Peer peer, int epoch, int sequence, int partition, boolean transactional) {
        MemoryRecords records = transactional
            ? MemoryRecords.withTransactionalRecords(Compression.NONE, Long.parseLong(peer.producerId), (short) epoch, sequence,
                new SimpleRecord(1000L, null, ("v" + sequence).getBytes()))
            : MemoryRecords.withIdempotentRecords(Compression.NONE, Long.parseLong(peer.producerId), (short) epoch, sequence,
                new SimpleRecord(1000L, null, ("v" + sequence).getBytes()));
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        String topic = version >= 13 ? "topicId: '$id:txn'" : "name: 'txn'";
        return "{transactionalId: %s, acks: -1, timeoutMs: 30000, topicData: [{%s, partitionData: [{index: %d, records: '%s'}]}]}"
            .formatted(id, topic, partition, Base64.getEncoder().encodeToString(bytes));
    }

    /** Records in each version from one to the other; the producers' ids are each broker's own. */
    private void compareProduce(String name, int from, int to, String id, int epoch, int sequence, int partition, boolean transactional) throws Exception {
        for (int version = from; version <= to; version++) {
            String ofKafka = produce(id, version, both.kafka, epoch, sequence, partition, transactional);
            String ofRingmill = produce(id, version, both.ringmill, epoch, sequence, partition, transactional);
            both.compareEach(name, PRODUCE, version, ofKafka, ofRingmill);
        }
    }

    private void records() throws Exception {
        begin("r", 0);
        compareProduce("records without a transactional id", 3, 13, "null", 0, 0, 0, true);
        compareProduce("records of an unknown transactional id", 3, 13, "'nobody'", 0, 0, 0, true);
        compareProduce("records before their partition was added", 3, 11, "'r'", 0, 0, 0, true);
        compareProduce("records of a newer epoch", 3, 13, "'r'", 1, 0, 0, true);
        compareProduce("the first records", 12, 12, "'r'", 0, 0, 0, true);
        compareProduce("more records", 3, 13, "'r'", 0, 0, 0, true);
        compareProduce("records with a gap", 3, 13, "'r'", 0, 5, 0, true);
        compareProduce("records out of the transaction", 3, 13, "'r'", 0, 1, 0, false);
        both.compare("of a transaction", DESCRIBE_PRODUCERS, 0, 0, describeProducers("txn", "0"), TIMELESS);
        both.compare("a commit", END_TXN, 5, 5, end("r", "$producer", 0, true));
        settle("r");
        both.compare("a commit that comes again", END_TXN, 5, 5, end("r", "$producer", 0, true));
        both.compare("an abort that does not come again", END_TXN, 5, 5, end("r", "$producer", 0, false));
        both.compare("behind a transaction", DESCRIBE_PRODUCERS, 0, 0, describeProducers("txn", "0"), TIMELESS);
        compareProduce("records of an old epoch", 3, 13, "'r'", 0, 1, 0, true);
        compareProduce("records of the next epoch", 12, 13, "'r'", 1, 0, 0, true);
        both.compare("an abort", END_TXN, 5, 5, end("r", "$producer", 1, false));
        settle("r");
        both.compare("committed records", FETCH, 4, 11, fetch(1));
        both.compare("all records", FETCH, 4, 11, fetch(0));
    }

    private static String fetch(int isolation) {
        return """
            {replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 1000000, isolationLevel: %d, sessionId: 0, sessionEpoch: -1,
             topics: [{topic: 'txn', partitions: [{partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, logStartOffset: 0,
             partitionMaxBytes: 1000000}]}], forgottenTopicsData: [], rackId: ''}""".formatted(isolation);
    }

    /** Version 1 of transactions: clients add partitions, the epoch stays. */
    private void oldClients() throws Exception {
        begin("old", 0);
        both.compare("a partition", ADD_PARTITIONS_TO_TXN, 3, 3, oldAdd("old", "$producer", 0, topic("txn", "1")));
        compareProduce("records", 9, 9, "'old'", 0, 0, 1, true);
        compareProduce("records of a partition that was not added", 9, 11, "'old'", 0, 0, 2, true);
        both.compare("an abort", END_TXN, 3, 3, end("old", "$producer", 0, false));
        settle("old");
        both.compare("an abort again", END_TXN, 3, 3, end("old", "$producer", 0, false));
        both.compare("a partition of the next", ADD_PARTITIONS_TO_TXN, 3, 3, oldAdd("old", "$producer", 0, topic("txn", "1")));
        compareProduce("records of the next", 9, 9, "'old'", 0, 1, 1, true);
        begin("old", 2);
        compareProduce("records of who was fenced", 3, 13, "'old'", 0, 2, 1, true);
        both.compare("producers", DESCRIBE_PRODUCERS, 0, 0, describeProducers("txn", "1"), TIMELESS);
    }

    private void offsets() throws Exception {
        begin("o", 0);
        both.compare("offsets before their group was added", TXN_OFFSET_COMMIT, 0, 4, commit("o", "og", "$producer", 0, "txn"));
        both.compare("offsets of no topic", TXN_OFFSET_COMMIT, 0, 5, commit("o", "og", "$producer", 0, "none"));
        both.compare("a group", ADD_OFFSETS_TO_TXN, 3, 3, addOffsets("o", "$producer", 0, "og"));
        both.compare("offsets", TXN_OFFSET_COMMIT, 0, 5, commit("o", "og", "$producer", 0, "txn"));
        both.compare("no group", TXN_OFFSET_COMMIT, 0, 5, commit("o", "", "$producer", 0, "txn"));
        both.compare("offsets of a generation", TXN_OFFSET_COMMIT, 3, 5,
            commit("o", "og", "$producer", 0, "txn").replace("generationId: -1, memberId: ''", "generationId: 3, memberId: 'm'"));
        String stable = "{groups: [{groupId: 'og', memberId: null, memberEpoch: -1, topics: [{name: 'txn', partitionIndexes: [0]}]}], requireStable: true}";
        both.compare("stable offsets of an open transaction", org.apache.kafka.common.protocol.ApiKeys.OFFSET_FETCH, 8, 9, stable);
        both.compare("a commit", END_TXN, 3, 3, end("o", "$producer", 0, true));
        settle("o");
        both.compare("stable offsets of a committed transaction", org.apache.kafka.common.protocol.ApiKeys.OFFSET_FETCH, 8, 9, stable);
        begin("o", 1);
        both.compare("offsets of an old epoch", TXN_OFFSET_COMMIT, 0, 5, commit("o", "og", "$producer", 0, "txn"));
    }

    private static String marker(String producer, int epoch, int coordinator, String topic) {
        return """
            {markers: [{producerId: %s, producerEpoch: %d, transactionResult: false, coordinatorEpoch: %d, transactionVersion: 0,
             topics: [{name: '%s', partitionIndexes: [2, 9]}]}]}""".formatted(producer, epoch, coordinator, topic);
    }

    private void administration() throws Exception {
        begin("h", 0);
        compareProduce("records of a transaction that will hang", 12, 12, "'h'", 0, 0, 2, true);
        both.compare("markers of an unknown topic", WRITE_TXN_MARKERS, 1, 2, marker("$producer", 0, 5, "none"));
        both.compare("markers", WRITE_TXN_MARKERS, 1, 1, marker("$producer", 0, 5, "txn"));
        both.compare("markers of an old coordinator", WRITE_TXN_MARKERS, 1, 1, marker("$producer", 0, 4, "txn"));
        both.compare("markers of a newer epoch", WRITE_TXN_MARKERS, 1, 1, marker("$producer", 3, 5, "txn"));
        both.compare("markers of an old epoch", WRITE_TXN_MARKERS, 1, 1, marker("$producer", 2, 5, "txn"));
        both.compare("producers", DESCRIBE_PRODUCERS, 0, 0, describeProducers("txn", "2"), TIMELESS);
    }
}
