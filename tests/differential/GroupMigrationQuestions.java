import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_DESCRIBE;
import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.JOIN_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LEAVE_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_COMMIT;
import static org.apache.kafka.common.protocol.ApiKeys.SYNC_GROUP;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.function.BiConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * The questions of a group that changes its kind between two generations of members. The classic member is "$member".
 */
final class GroupMigrationQuestions {
    private static final List<TopicPartition> NOTHING = List.of();
    private final Differential both;

    private GroupMigrationQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        GroupMigrationQuestions questions = new GroupMigrationQuestions(both);
        questions.refused();
        questions.emptied();
    }

    private static String classic(String group, String member, String metadata) {
        return """
            {groupId: '%s', sessionTimeoutMs: 600000, rebalanceTimeoutMs: 600000, memberId: '%s', groupInstanceId: null, protocolType: 'consumer',
             protocols: [{name: 'range', metadata: '%s'}], reason: null}""".formatted(group, member, metadata);
    }

    private static String sync(String group, int generation, String member, String assignment) {
        return """
            {groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null, protocolType: 'consumer', protocolName: 'range',
             assignments: [%s]}""".formatted(group, generation, member, assignment);
    }

    /** A classic group of one member, which is "$member" from now on. */
    private void begin(String group, String metadata, String assignment) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            JsonNode joined = peer.ask(JOIN_GROUP, (short) 3, classic(group, "", metadata));
            Cases.equal("error of " + peer.name, 0, joined.get("errorCode").asInt());
            peer.memberId = joined.get("memberId").asText();
            JsonNode synced = peer.ask(SYNC_GROUP, (short) 5, sync(group, 1, "$member",
                assignment.isEmpty() ? "" : "{memberId: '$member', assignment: '" + assignment + "'}"));
            Cases.equal("error of " + peer.name, 0, synced.get("errorCode").asInt());
        }
    }

    private void step(String name, String request) {
        both.compare(name, CONSUMER_GROUP_HEARTBEAT, 1, 1, request, ConsumerGroupRequests.ids());
    }

    private void described(String name, String group) {
        both.compare(name, CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe(group), ConsumerGroupRequests.ids());
        both.compare(name, DESCRIBE_GROUPS, 0, 2, "{groups: ['" + group + "']}", ConsumerGroupRequests.without("memberId", "leader"));
        both.compare(name, DESCRIBE_GROUPS, 6, 6, "{groups: ['" + group + "'], includeAuthorizedOperations: false}",
            ConsumerGroupRequests.without("memberId", "leader"));
        BiConsumer<Peer, JsonNode> ours = (peer, answer) -> Differential.retain(answer.get("groups"), "groupId", List.of(group));
        both.compare(name, LIST_GROUPS, 5, 5, "{statesFilter: [], typesFilter: []}", ours);
    }

    /** Classic groups that cannot become consumer groups. */
    private void refused() throws Exception {
        begin("cm-opaque", "", "");
        step("to a group whose members say nothing", ConsumerGroupRequests.join("cm-opaque", "a", "shared-a", ""));
        described("a group whose members say nothing", "cm-opaque");
        begin("cm-classic", ConsumerGroupRequests.subscription(List.of("shared-a"), NOTHING), "");
        both.compare("an epoch in a classic group", CONSUMER_GROUP_HEARTBEAT, 0, 1, ConsumerGroupRequests.beat("cm-classic", "a", 1, ""));
        both.compare("leaves a classic group", CONSUMER_GROUP_HEARTBEAT, 0, 1, ConsumerGroupRequests.beat("cm-classic", "a", -1, ""));
        both.compare("an epoch of the classic member", CONSUMER_GROUP_HEARTBEAT, 0, 1, ConsumerGroupRequests.beat("cm-classic", "$member", 1, ""),
            ConsumerGroupRequests.ids());
        described("a classic group still", "cm-classic");
    }

    /** Groups without members change their kind with the next one. */
    private void emptied() throws Exception {
        begin("cm-emptied", ConsumerGroupRequests.subscription(List.of("shared-a"), NOTHING), "");
        both.compare("the last one commits", OFFSET_COMMIT, 9, 9, """
            {groupId: 'cm-emptied', generationIdOrMemberEpoch: 1, memberId: '$member', groupInstanceId: null, retentionTimeMs: -1,
             topics: [{name: 'shared-a', partitions: [{partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: 0, committedMetadata: ''}]}]}""");
        both.compare("the last one goes", LEAVE_GROUP, 2, 2, "{groupId: 'cm-emptied', memberId: '$member'}");
        described("nobody is left", "cm-emptied");
        step("somebody new", ConsumerGroupRequests.join("cm-emptied", "a", "shared-a", ""));
        described("somebody new", "cm-emptied");
        step("goes, too", ConsumerGroupRequests.beat("cm-emptied", "a", -1, ""));
        described("nobody is left, again", "cm-emptied");
        begin("cm-emptied", ConsumerGroupRequests.subscription(List.of("shared-a"), NOTHING), "");
        described("a classic group again", "cm-emptied");
        both.compare("the last one goes, too", LEAVE_GROUP, 2, 2, "{groupId: 'cm-emptied', memberId: '$member'}");
    }
}
