import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_DESCRIBE;
import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.DELETE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.FIND_COORDINATOR;
import static org.apache.kafka.common.protocol.ApiKeys.HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.INIT_PRODUCER_ID;
import static org.apache.kafka.common.protocol.ApiKeys.JOIN_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LEAVE_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_COMMIT;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_DELETE;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_FETCH;
import static org.apache.kafka.common.protocol.ApiKeys.SYNC_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.TXN_OFFSET_COMMIT;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.function.BiConsumer;

/** What the APIs that were there before say of a consumer group: offsets, classic members, administration. */
final class ConsumerGroupOldApiQuestions {
    /** A group with the member "m" in epoch 2, one with nobody left, one whose instance left for a while, one whose members leave. */
    private static final String GROUP = "cg-old";
    private static final String EMPTY = "cg-left";
    private static final String STATIC = "cg-old-static";
    private static final String LEAVING = "cg-leaving";
    private final Differential both;

    private ConsumerGroupOldApiQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        ConsumerGroupOldApiQuestions questions = new ConsumerGroupOldApiQuestions(both);
        questions.prepare();
        questions.commits();
        questions.fetches();
        questions.transactions();
        questions.classicMembers();
        questions.administration();
    }

    private void prepare() throws Exception {
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.join(GROUP, "m", "shared-a", ""));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.join(EMPTY, "m", "shared-a", ""));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.beat(EMPTY, "m", -1, ""));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.join(LEAVING, "m", "shared-a", ""));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.join(LEAVING, "m2", "shared-a", ""));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.join(STATIC, "m", "shared-a", "instanceId: 'i'"));
        both.prepare(CONSUMER_GROUP_HEARTBEAT, 1, ConsumerGroupRequests.beat(STATIC, "m", -2, "instanceId: 'i'"));
    }

    private static String commit(String group, String member, String instance, int epoch, int partition) {
        return """
            {groupId: '%s', generationIdOrMemberEpoch: %d, memberId: '%s', groupInstanceId: %s, retentionTimeMs: -1,
             topics: [{name: 'shared-a', topicId: '$id:shared-a', partitions: [
               {partitionIndex: %d, committedOffset: 5, committedLeaderEpoch: 0, committedMetadata: 'a note'}]}]}"""
            .formatted(group, epoch, member, instance, partition);
    }

    private void compareCommit(String name, String group, String member, String instance, int epoch) {
        both.compare(name, OFFSET_COMMIT, 2, 6, commit(group, member, "null", epoch, 0));
        both.compare(name, OFFSET_COMMIT, 7, 10, commit(group, member, instance, epoch, 0));
    }

    private void commits() {
        compareCommit("of the member", GROUP, "m", "null", 2);
        compareCommit("of an epoch to come", GROUP, "m", "null", 3);
        compareCommit("of an epoch that is over", GROUP, "m", "null", 1);
        compareCommit("of no epoch", GROUP, "m", "null", -1);
        compareCommit("of somebody else", GROUP, "x", "null", 2);
        compareCommit("of nobody, with members", GROUP, "", "null", -1);
        compareCommit("of nobody, with an epoch", GROUP, "", "null", 2);
        compareCommit("of an instance", GROUP, "m", "'i'", 2);
        compareCommit("of an instance only", STATIC, "m", "'i'", 2);
        compareCommit("of a member that left for a while", STATIC, "m", "'i'", -2);
        compareCommit("of a member of nobody's group", EMPTY, "m", "null", 2);
        compareCommit("of a member of nobody's group, without epoch", EMPTY, "m", "null", -1);
        compareCommit("of nobody, without members", EMPTY, "", "null", -1);
        both.compare("of no partition", OFFSET_COMMIT, 9, 10, commit(GROUP, "m", "null", 2, 9));
    }

    private void compareFetch(String name, String group, String member, int epoch, String topics) {
        both.compare(name, OFFSET_FETCH, 8, 10, """
            {requireStable: true, groups: [{groupId: '%s', memberId: %s, memberEpoch: %d, topics: %s}]}""".formatted(group, member, epoch, topics));
    }

    private void fetches() {
        String some = "[{name: 'shared-a', topicId: '$id:shared-a', partitionIndexes: [0, 1, 9]}]";
        for (String topics : List.of(some, "null")) {
            String what = topics.equals("null") ? "all offsets " : "offsets ";
            compareFetch(what + "for the member", GROUP, "'m'", 2, topics);
            compareFetch(what + "for an epoch to come", GROUP, "'m'", 3, topics);
            compareFetch(what + "for an epoch that is over", GROUP, "'m'", 1, topics);
            compareFetch(what + "for no epoch", GROUP, "'m'", -1, topics);
            compareFetch(what + "for somebody else", GROUP, "'x'", 2, topics);
            compareFetch(what + "for nobody", GROUP, "null", -1, topics);
            compareFetch(what + "for nobody, by an empty name", GROUP, "''", -1, topics);
            compareFetch(what + "for a member of nobody's group", EMPTY, "'m'", 2, topics);
            compareFetch(what + "for nobody of nobody's group", EMPTY, "null", -1, topics);
            compareFetch(what + "for a member of no group", "cg-none", "'m'", 2, topics);
            both.compare(what + "in the versions of one group", OFFSET_FETCH, topics.equals("null") ? 2 : 1, 7,
                "{groupId: '%s', requireStable: false, topics: %s}".formatted(GROUP, topics));
        }
    }

    private static String transactional(String group, String member, String instance, int epoch) {
        return """
            {transactionalId: 'cg-txn', groupId: '%s', producerId: $producer, producerEpoch: 0, generationId: %d, memberId: '%s', groupInstanceId: %s,
             topics: [{name: 'shared-a', partitions: [{partitionIndex: 1, committedOffset: 7, committedLeaderEpoch: 0, committedMetadata: ''}]}]}"""
            .formatted(group, epoch, member, instance);
    }

    private void compareTransactional(String name, String group, String member, String instance, int epoch) {
        both.compare(name, TXN_OFFSET_COMMIT, 3, 5, transactional(group, member, instance, epoch));
    }

    /** Commits in a transaction. It stays open: nobody waits for it. */
    private void transactions() throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            JsonNode begun = null;
            for (int tries = 0; tries < 1_500 && (begun == null || begun.get("errorCode").asInt() != 0); tries++) {
                peer.ask(FIND_COORDINATOR, (short) 4, "{keyType: 1, coordinatorKeys: ['cg-txn']}");
                begun = peer.ask(INIT_PRODUCER_ID, (short) 5, """
                    {transactionalId: 'cg-txn', transactionTimeoutMs: 800000, producerId: -1, producerEpoch: -1, enable2Pc: false, keepPreparedTxn: false}""");
                Thread.sleep(20);
            }
            Cases.equal("error of " + peer.name, 0, begun.get("errorCode").asInt());
            peer.producerId = begun.get("producerId").asText();
        }
        both.compare("nobody's offsets", TXN_OFFSET_COMMIT, 0, 2, transactional(GROUP, "", "null", -1));
        compareTransactional("the member's offsets", GROUP, "m", "null", 2);
        compareTransactional("of an epoch to come", GROUP, "m", "null", 3);
        compareTransactional("of an epoch that is over", GROUP, "m", "null", 1);
        compareTransactional("of somebody else", GROUP, "x", "null", 2);
        compareTransactional("of nobody", GROUP, "", "null", -1);
        compareTransactional("of an instance", GROUP, "m", "'i'", 2);
        compareTransactional("of nobody's group", EMPTY, "", "null", -1);
        compareTransactional("of a member of nobody's group", EMPTY, "m", "null", 2);
    }

    private static String classicJoin(String group, String member, String type, String protocols) {
        return """
            {groupId: '%s', sessionTimeoutMs: 600000, rebalanceTimeoutMs: 600000, memberId: '%s', groupInstanceId: null, protocolType: '%s',
             protocols: [%s], reason: null}""".formatted(group, member, type, protocols);
    }

    /** A member of the consumer protocol, taken for a classic one. */
    private void classicMembers() {
        BiConsumer<Peer, JsonNode> names = ConsumerGroupRequests.without("memberId", "leader");
        String range = "{name: 'range', metadata: '" + ConsumerGroupRequests.subscription(List.of("shared-a"), List.of()) + "'}";
        both.compare("somebody of another type joins", JOIN_GROUP, 0, 9, classicJoin(GROUP, "", "connect", range), names);
        both.compare("somebody without type joins", JOIN_GROUP, 0, 9, classicJoin(GROUP, "", "", range), names);
        both.compare("somebody without id joins", JOIN_GROUP, 4, 9, classicJoin(GROUP, "", "consumer", range), names);
        both.compare("somebody without protocol joins", JOIN_GROUP, 0, 9, classicJoin(GROUP, "", "consumer", ""), names);
        String sync = "{groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null, protocolType: 'consumer', protocolName: 'range', assignments: []}";
        both.compare("the member syncs", SYNC_GROUP, 0, 5, sync.formatted(GROUP, 2, "m"));
        both.compare("somebody else syncs", SYNC_GROUP, 0, 5, sync.formatted(GROUP, 2, "x"));
        both.compare("somebody syncs with nobody", SYNC_GROUP, 0, 5, sync.formatted(EMPTY, 2, "m"));
        String heartbeat = "{groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null}";
        both.compare("the member is alive", HEARTBEAT, 0, 4, heartbeat.formatted(GROUP, 2, "m"));
        both.compare("the member is alive, in another epoch", HEARTBEAT, 0, 4, heartbeat.formatted(GROUP, 3, "m"));
        both.compare("somebody else is alive", HEARTBEAT, 0, 4, heartbeat.formatted(GROUP, 2, "x"));
        both.compare("somebody is alive in nobody's group", HEARTBEAT, 0, 4, heartbeat.formatted(EMPTY, 2, "m"));
        both.compare("somebody else goes", LEAVE_GROUP, 0, 2, "{groupId: '%s', memberId: 'x'}".formatted(GROUP));
        both.compare("somebody goes from nobody's group", LEAVE_GROUP, 0, 2, "{groupId: '%s', memberId: 'x'}".formatted(EMPTY));
        String leave = "{groupId: '%s', members: [{memberId: '%s', groupInstanceId: %s, reason: null}]}";
        both.compare("the member goes", LEAVE_GROUP, 3, 3, leave.formatted(LEAVING, "m", "null"));
        both.compare("the member goes, by an old version", LEAVE_GROUP, 1, 1, "{groupId: '%s', memberId: 'm2'}".formatted(LEAVING));
        both.compare("nobody is left", CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe(LEAVING));
        both.compare("somebody else goes", LEAVE_GROUP, 3, 5, leave.formatted(GROUP, "x", "null"));
        both.compare("an instance goes", LEAVE_GROUP, 3, 5, leave.formatted(GROUP, "", "'i'"));
        both.compare("an instance of somebody else goes", LEAVE_GROUP, 3, 5, leave.formatted(STATIC, "x", "'i'"));
        both.compare("after all this", CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe(GROUP + " " + STATIC));
    }

    private void administration() {
        BiConsumer<Peer, JsonNode> ours = (peer, answer) -> Differential.retain(answer.get("groups"), "groupId", List.of(GROUP, EMPTY, STATIC));
        for (String type : List.of("'consumer'", "'CONSUMER'", "'classic'", "'classic', 'consumer'", "'share'", "")) {
            both.compare("groups of type " + type.replace("'", ""), LIST_GROUPS, 5, 5, "{statesFilter: [], typesFilter: [" + type + "]}", ours);
        }
        for (String state : List.of("Stable", "stable", "Empty", "Reconciling", "Assigning", "Dead", "PreparingRebalance")) {
            both.compare("groups in state " + state, LIST_GROUPS, 4, 4, "{statesFilter: ['" + state + "']}", ours);
        }
        both.compare("groups, by old versions", LIST_GROUPS, 0, 3, "{}", ours);
        both.compare("groups by state and type", LIST_GROUPS, 5, 5, "{statesFilter: ['Empty'], typesFilter: ['Consumer']}", ours);
        String groups = "'%s', '%s', 'cg-none'".formatted(GROUP, EMPTY);
        both.compare("described as classic groups", DESCRIBE_GROUPS, 0, 2, "{groups: [" + groups + "]}");
        both.compare("described as classic groups", DESCRIBE_GROUPS, 3, 6, "{groups: [" + groups + "], includeAuthorizedOperations: true}");
        String offsets = "{groupId: '%s', topics: [{name: '%s', partitions: [{partitionIndex: %d}]}]}";
        both.compare("offsets of a topic that is consumed", OFFSET_DELETE, 0, 0, offsets.formatted(GROUP, "shared-a", 0));
        both.compare("offsets of a topic that is not consumed", OFFSET_DELETE, 0, 0, offsets.formatted(GROUP, "shared-b", 0));
        both.compare("offsets of nothing", OFFSET_DELETE, 0, 0, offsets.formatted(GROUP, "absent", 0));
        both.compare("offsets of a member that left for a while", OFFSET_DELETE, 0, 0, offsets.formatted(STATIC, "shared-a", 0));
        both.compare("offsets of nobody", OFFSET_DELETE, 0, 0, offsets.formatted(EMPTY, "shared-a", 0));
        both.compare("with members, without, and none", DELETE_GROUPS, 0, 2, "{groupsNames: ['%s', '%s', 'cg-none']}".formatted(GROUP, STATIC));
        both.compare("without members", DELETE_GROUPS, 2, 2, "{groupsNames: ['%s', '%s']}".formatted(EMPTY, EMPTY));
        both.compare("what is left of it", CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe(EMPTY));
    }
}
