import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_DESCRIBE;
import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.HEARTBEAT;
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
 * The questions of a group on its way from classic to consumer members and back. The classic member is "$member", the other one "a" or "z":
 * what sorts by name sorts alike at both.
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
        questions.upwards();
        questions.downwards();
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
        both.compare(name, DESCRIBE_GROUPS, 0, 2, "{groups: ['" + group + "']}", ConsumerGroupRequests.without("memberId"));
        both.compare(name, DESCRIBE_GROUPS, 6, 6, "{groups: ['" + group + "'], includeAuthorizedOperations: false}",
            ConsumerGroupRequests.without("memberId"));
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

    /** A consumer member comes to a classic one, both work, and the consumer member goes again. */
    private void upwards() throws Exception {
        String group = "cm-up";
        String metadata = ConsumerGroupRequests.subscription(List.of("shared-a"), NOTHING);
        begin(group, metadata, ConsumerGroupRequests.assignment("shared-a", 0, 1, 2, 3));
        step("comes to a classic member", ConsumerGroupRequests.join(group, "a", "shared-a", "serverAssignor: 'range'"));
        described("both kinds", group);
        BiConsumer<Peer, JsonNode> names = ConsumerGroupRequests.without("memberId", "leader");
        String alive = "{groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null}";
        both.compare("the classic member is to join again", HEARTBEAT, 0, 4, alive.formatted(group, 1, "$member"));
        both.compare("the classic member in another generation", HEARTBEAT, 0, 4, alive.formatted(group, 7, "$member"));
        both.compare("the other member by the classic protocol", HEARTBEAT, 0, 4, alive.formatted(group, 2, "a"));
        both.compare("the classic member by the consumer protocol", CONSUMER_GROUP_HEARTBEAT, 0, 1, ConsumerGroupRequests.beat(group, "$member", 1, ""), ConsumerGroupRequests.ids());
        both.compare("another type", JOIN_GROUP, 3, 9, classic(group, "$member", metadata).replace("'consumer'", "'connect'"), names);
        String owned = ConsumerGroupRequests.subscription(List.of("shared-a"), partitions(0, 1, 2, 3));
        both.compare("the classic member joins again with all it has", JOIN_GROUP, 5, 5, classic(group, "$member", owned), names);
        described("the classic member is to give up", group);
        both.compare("the classic member syncs", SYNC_GROUP, 5, 5, sync(group, 1, "$member", ""));
        both.compare("the classic member syncs in another generation", SYNC_GROUP, 5, 5, sync(group, 9, "$member", ""));
        String fewer = ConsumerGroupRequests.subscription(List.of("shared-a"), partitions(2, 3));
        both.compare("the classic member gave up", JOIN_GROUP, 5, 5, classic(group, "$member", fewer), names);
        both.compare("the classic member syncs", SYNC_GROUP, 5, 5, sync(group, 2, "$member", ""));
        step("the other member gets it", ConsumerGroupRequests.beat(group, "a", 2, ConsumerGroupRequests.owns()));
        described("both have their share", group);
        for (int generation : List.of(1, 2, 3)) {
            both.compare("the classic member commits in generation " + generation, OFFSET_COMMIT, 2, 9, """
                {groupId: '%s', generationIdOrMemberEpoch: %d, memberId: '$member', groupInstanceId: null, retentionTimeMs: -1,
                 topics: [{name: 'shared-a', partitions: [{partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: 0, committedMetadata: ''}]}]}"""
                .formatted(group, generation));
        }
        both.compare("alive", HEARTBEAT, 0, 4, alive.formatted(group, 2, "$member"));
        step("the other member goes", ConsumerGroupRequests.beat(group, "a", -1, ""));
        described("a classic group again", group);
        both.compare("the classic member is to join again", HEARTBEAT, 0, 4, alive.formatted(group, 2, "$member"));
        both.compare("the classic member is to join again", HEARTBEAT, 0, 4, alive.formatted(group, 3, "$member"));
        both.compare("the classic member joins again", JOIN_GROUP, 5, 5, classic(group, "$member", fewer), names);
        described("a classic group that waits", group);
        both.compare("the classic member goes", LEAVE_GROUP, 2, 2, "{groupId: '%s', memberId: '$member'}".formatted(group));
        described("nobody is left", group);
    }

    /** A classic member comes to consumer members, and a consumer member speaks the classic protocol from now on. */
    private void downwards() throws Exception {
        String group = "cm-down";
        BiConsumer<Peer, JsonNode> names = ConsumerGroupRequests.without("memberId", "leader");
        String metadata = ConsumerGroupRequests.subscription(List.of("shared-a"), NOTHING);
        step("the first", ConsumerGroupRequests.join(group, "a", "shared-a", "serverAssignor: 'range'"));
        both.compare("a classic member without id", JOIN_GROUP, 4, 9, classic(group, "", metadata), names);
        both.compare("a classic member with an id of its own", JOIN_GROUP, 5, 5, classic(group, "z", metadata), names);
        described("a classic member came", group);
        both.compare("it syncs", SYNC_GROUP, 5, 5, sync(group, 3, "z", ""));
        both.compare("it is alive", HEARTBEAT, 0, 4, "{groupId: '%s', generationId: 3, memberId: 'z', groupInstanceId: null}".formatted(group));
        step("the first is told", ConsumerGroupRequests.beat(group, "a", 2, ConsumerGroupRequests.owns("shared-a 0 1 2 3")));
        step("the first gave up", ConsumerGroupRequests.beat(group, "a", 2, ConsumerGroupRequests.owns("shared-a 0 1")));
        both.compare("it is to join again", HEARTBEAT, 0, 4, "{groupId: '%s', generationId: 3, memberId: 'z', groupInstanceId: null}".formatted(group));
        both.compare("it joins again", JOIN_GROUP, 5, 5, classic(group, "z", metadata), names);
        both.compare("it syncs", SYNC_GROUP, 5, 5, sync(group, 3, "z", ""));
        described("both have their share", group);
        both.compare("the first joins by the classic protocol", JOIN_GROUP, 5, 5,
            classic(group, "a", ConsumerGroupRequests.subscription(List.of("shared-a"), partitions(0, 1))), names);
        described("only classic members", group);
        both.compare("it goes", LEAVE_GROUP, 2, 2, "{groupId: '%s', memberId: 'z'}".formatted(group));
        described("one is left", group);
    }

    private static List<TopicPartition> partitions(int... of) {
        return java.util.Arrays.stream(of).mapToObj(partition -> new TopicPartition("shared-a", partition)).toList();
    }
}
