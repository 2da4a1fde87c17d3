import static org.apache.kafka.common.protocol.ApiKeys.CREATE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.DELETE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.FIND_COORDINATOR;
import static org.apache.kafka.common.protocol.ApiKeys.HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.JOIN_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LEAVE_GROUP;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_GROUPS;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_COMMIT;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_DELETE;
import static org.apache.kafka.common.protocol.ApiKeys.OFFSET_FETCH;
import static org.apache.kafka.common.protocol.ApiKeys.SYNC_GROUP;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.function.BiConsumer;

/** The questions of consumers in groups and of who administers them: every error code that can be had without a crash. */
final class GroupQuestions {
    private final Differential both;

    private GroupQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        GroupQuestions questions = new GroupQuestions(both);
        questions.prepare();
        questions.coordinators();
        questions.strangers();
        questions.offsets();
        questions.members();
        questions.administration();
    }

    private void prepare() throws Exception {
        both.prepare(CREATE_TOPICS, 7, """
            {topics: [{name: 'grouped', numPartitions: 2, replicationFactor: 1, assignments: [], configs: []}],
             timeoutMs: 30000, validateOnly: false}""");
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            String find = several("'g'", 0);
            for (int tries = 0; peer.ask(FIND_COORDINATOR, (short) 4, find).get("coordinators").get(0).get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " has no coordinator", tries < 5_000);
                Thread.sleep(20);
            }
            // Both load their coordinators: then there are no other errors than the ones asked for.
            for (int tries = 0; peer.ask(LIST_GROUPS, (short) 4, "{statesFilter: []}").get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " does not load its groups", tries < 5_000);
                Thread.sleep(20);
            }
            for (int tries = 0; peer.ask(OFFSET_FETCH, (short) 8, fetch("loaded", "[]")).get("groups").get(0).get("errorCode").asInt() != 0; tries++) {
                Cases.check(peer.name + " does not load its groups", tries < 5_000);
                Thread.sleep(20);
            }
        }
        both.kafka.learnTopicIds();
        both.ringmill.learnTopicIds();
    }

    private static void remove(JsonNode node, String... fields) {
        if (node instanceof ObjectNode object) {
            object.remove(List.of(fields));
        }
        node.forEach(child -> remove(child, fields));
    }

    private static BiConsumer<Peer, JsonNode> without(String... fields) {
        return (peer, answer) -> remove(answer, fields);
    }

    private void coordinators() {
        BiConsumer<Peer, JsonNode> place = without("port", "nodeId", "errorMessage");
        both.compare("a group's coordinator", FIND_COORDINATOR, 0, 0, "{key: 'g'}", place);
        both.compare("a group's coordinator", FIND_COORDINATOR, 1, 3, one("g", 0), place);
        both.compare("groups' coordinators", FIND_COORDINATOR, 4, 6, several("'g', 'h'", 0), place);
        both.compare("no group's coordinator", FIND_COORDINATOR, 1, 3, one("", 0), place);
        both.compare("no group's coordinator", FIND_COORDINATOR, 4, 6, several("''", 0), place);
        both.compare("a coordinator of nothing", FIND_COORDINATOR, 1, 3, one("g", 7), place);
        both.compare("a coordinator of nothing", FIND_COORDINATOR, 4, 6, several("'g'", 7), place);
    }

    private static String one(String key, int type) {
        return "{key: '%s', keyType: %d}".formatted(key, type);
    }

    private static String several(String keys, int type) {
        return "{keyType: %d, coordinatorKeys: [%s]}".formatted(type, keys);
    }

    private static String join(String group, String member, String instance, int session, String type, String protocols) {
        return """
            {groupId: '%s', sessionTimeoutMs: %d, rebalanceTimeoutMs: 600000, memberId: '%s', groupInstanceId: %s, protocolType: '%s',
             protocols: [%s], reason: null}""".formatted(group, session, member, instance, type, protocols);
    }

    private static final String RANGE = "{name: 'range', metadata: ''}";

    private static String sync(String group, int generation, String member, String type, String name) {
        return """
            {groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null, protocolType: %s, protocolName: %s, assignments: []}"""
            .formatted(group, generation, member, type, name);
    }

    private static String heartbeat(String group, int generation, String member) {
        return "{groupId: '%s', generationId: %d, memberId: '%s', groupInstanceId: null}".formatted(group, generation, member);
    }

    private static String leave(String group, String member, String instance) {
        return "{groupId: '%s', members: [{memberId: '%s', groupInstanceId: %s, reason: null}]}".formatted(group, member, instance);
    }

    /** In the versions of one member, and in those of several. */
    private void compareLeave(String name, String group, String member) {
        both.compare(name, LEAVE_GROUP, 0, 2, "{groupId: '%s', memberId: '%s'}".formatted(group, member));
        both.compare(name, LEAVE_GROUP, 3, 5, leave(group, member, "null"));
    }

    /** Who nobody knows. */
    private void strangers() {
        both.compare("no group", JOIN_GROUP, 0, 9, join("", "", "null", 10000, "consumer", RANGE));
        both.compare("a session that is too short", JOIN_GROUP, 0, 9, join("bad", "", "null", 5999, "consumer", RANGE));
        both.compare("a session that is too long", JOIN_GROUP, 0, 9, join("bad", "m", "null", 1800001, "consumer", RANGE));
        both.compare("an unknown member", JOIN_GROUP, 0, 9, join("bad", "m", "null", 10000, "consumer", RANGE));
        both.compare("no protocol", JOIN_GROUP, 0, 9, join("bad", "", "null", 10000, "consumer", ""));
        both.compare("no protocol type", JOIN_GROUP, 0, 9, join("bad", "", "null", 10000, "", RANGE));
        both.compare("no group", SYNC_GROUP, 0, 5, sync("", 1, "m", "'consumer'", "'range'"));
        both.compare("an unknown group", SYNC_GROUP, 0, 5, sync("none", 1, "m", "'consumer'", "'range'"));
        both.compare("without protocol", SYNC_GROUP, 0, 5, sync("none", 1, "m", "null", "null"));
        both.compare("no group", HEARTBEAT, 0, 4, heartbeat("", 1, "m"));
        both.compare("an unknown group", HEARTBEAT, 0, 4, heartbeat("none", 1, "m"));
        compareLeave("no group", "", "m");
        compareLeave("an unknown group", "none", "m");
        both.compare("an unknown group, by instance", LEAVE_GROUP, 3, 5, leave("none", "", "'i'"));
        both.compare("an unknown group", DESCRIBE_GROUPS, 0, 2, "{groups: ['none', '']}");
        both.compare("an unknown group", DESCRIBE_GROUPS, 3, 6, "{groups: ['none', ''], includeAuthorizedOperations: true}");
        both.compare("an unknown group", DELETE_GROUPS, 0, 2, "{groupsNames: ['none', '']}");
        both.compare("an unknown group", OFFSET_DELETE, 0, 0, offsetDelete("none", "grouped", 0));
        both.compare("no group", OFFSET_DELETE, 0, 0, offsetDelete("", "grouped", 0));
    }

    private static String commit(String group, int generation, String member, String topic, int partition, long offset, String metadata) {
        return """
            {groupId: '%s', generationIdOrMemberEpoch: %d, memberId: '%s', groupInstanceId: null, retentionTimeMs: -1,
             topics: [{name: '%s', topicId: '$id:%s', partitions: [
               {partitionIndex: %d, committedOffset: %d, committedLeaderEpoch: 0, committedMetadata: %s}]}]}"""
            .formatted(group, generation, member, topic, topic, partition, offset, metadata);
    }

    private static String fetch(String group, String topics) {
        return "{requireStable: true, groups: [{groupId: '%s', memberId: null, memberEpoch: -1, topics: %s}]}".formatted(group, topics);
    }

    /** In the versions of one group, and in those of several. */
    private void compareFetch(String name, int from, String group, String topics) {
        both.compare(name, OFFSET_FETCH, from, 7, "{groupId: '%s', topics: %s, requireStable: false}".formatted(group, topics));
        both.compare(name, OFFSET_FETCH, 8, 10, fetch(group, topics));
    }

    private static String offsetDelete(String group, String topic, int partition) {
        return "{groupId: '%s', topics: [{name: '%s', partitions: [{partitionIndex: %d}]}]}".formatted(group, topic, partition);
    }

    private static String topics(String topic, String partitions) {
        return "[{name: '%s', topicId: '$id:%s', partitionIndexes: %s}]".formatted(topic, topic, partitions);
    }

    private void offsets() throws Exception {
        compareFetch("an unknown group's offsets", 1, "none", topics("grouped", "[0, 1]"));
        compareFetch("all of an unknown group's offsets", 2, "none", "null");
        both.compare("an offset from outside", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "grouped", 0, 42, "'a note'"));
        both.compare("an offset without a note", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "grouped", 1, 43, "null"));
        both.compare("an offset of nothing", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "absent", 0, 42, "''"));
        both.compare("an offset of no partition", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "grouped", 2, 42, "''"));
        both.compare("a note that is too long", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "grouped", 0, 42, "'" + "x".repeat(4097) + "'"));
        both.compare("a generation of an unknown group", OFFSET_COMMIT, 2, 10, commit("none", 1, "m", "grouped", 0, 42, "''"));
        both.compare("a member of an empty group", OFFSET_COMMIT, 2, 10, commit("simple", 0, "m", "grouped", 0, 42, "''"));
        both.compare("a negative offset", OFFSET_COMMIT, 2, 10, commit("simple", -1, "", "grouped", 0, -7, "''"));
        both.prepare(OFFSET_COMMIT, 9, commit("simple", -1, "", "grouped", 0, 42, "'a note'"));
        compareFetch("the offsets", 1, "simple", topics("grouped", "[0, 1]"));
        compareFetch("all offsets", 2, "simple", "null");
        compareFetch("offsets of nothing", 1, "simple", topics("absent", "[0]"));
        compareFetch("offsets of no partition", 1, "simple", topics("grouped", "[7]"));
    }

    /** A group of one member, by a version that lets it in at once; its id is "$member". It sends no heartbeats while others are asked: its times are long. */
    private void members() throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            JsonNode joined = peer.ask(JOIN_GROUP, (short) 3, join("joined", "", "null", 600000, "consumer", RANGE));
            Cases.equal("error of " + peer.name, 0, joined.get("errorCode").asInt());
            peer.memberId = joined.get("memberId").asText();
        }
        BiConsumer<Peer, JsonNode> names = without("memberId", "leader", "groupInstanceId");
        both.compare("before the assignment", OFFSET_COMMIT, 2, 10, commit("joined", 1, "$member", "grouped", 0, 1, "''"));
        both.compare("before the assignment", OFFSET_COMMIT, 2, 10, commit("joined", -1, "", "grouped", 0, 1, "''"));
        both.compare("again, before the assignment", JOIN_GROUP, 0, 9, join("joined", "$member", "null", 600000, "consumer", RANGE), names);
        both.compare("of another type", SYNC_GROUP, 5, 5, sync("joined", 1, "$member", "'connect'", "'range'"));
        both.compare("of another protocol", SYNC_GROUP, 5, 5, sync("joined", 1, "$member", "'consumer'", "'sticky'"));
        both.compare("of another generation", SYNC_GROUP, 0, 5, sync("joined", 2, "$member", "'consumer'", "'range'"));
        both.compare("of somebody else", SYNC_GROUP, 0, 5, sync("joined", 1, "m", "'consumer'", "'range'"));
        both.compare("a group that waits", DESCRIBE_GROUPS, 0, 2, "{groups: ['joined']}", names);
        both.compare("a group that waits", DESCRIBE_GROUPS, 3, 6, "{groups: ['joined'], includeAuthorizedOperations: false}", names);
        both.compare("the assignment", SYNC_GROUP, 0, 5, sync("joined", 1, "$member", "'consumer'", "'range'"));
        both.compare("alive", HEARTBEAT, 0, 4, heartbeat("joined", 1, "$member"));
        both.compare("of another generation", HEARTBEAT, 0, 4, heartbeat("joined", 0, "$member"));
        both.compare("of somebody else", HEARTBEAT, 0, 4, heartbeat("joined", 1, "m"));
        both.compare("of an instance", HEARTBEAT, 3, 4,
            "{groupId: 'joined', generationId: 1, memberId: '$member', groupInstanceId: 'i'}");
        both.compare("of the member", OFFSET_COMMIT, 2, 10, commit("joined", 1, "$member", "grouped", 0, 1, "''"));
        both.compare("of another generation", OFFSET_COMMIT, 2, 10, commit("joined", 2, "$member", "grouped", 0, 1, "''"));
        both.compare("of somebody else", OFFSET_COMMIT, 2, 10, commit("joined", 1, "m", "grouped", 0, 1, "''"));
        both.compare("from outside, with members", OFFSET_COMMIT, 2, 10, commit("joined", -1, "", "grouped", 0, 1, "''"));
        both.compare("of another type", JOIN_GROUP, 0, 9, join("joined", "", "null", 600000, "connect", RANGE));
        both.compare("of another protocol", JOIN_GROUP, 0, 9, join("joined", "", "null", 600000, "consumer", "{name: 'sticky', metadata: ''}"));
        both.compare("of an unknown instance", JOIN_GROUP, 5, 9, join("joined", "$member", "'i'", 600000, "consumer", RANGE), names);
        both.compare("of an unknown member", JOIN_GROUP, 0, 9, join("joined", "m", "null", 600000, "consumer", RANGE), names);
        both.compare("an id", JOIN_GROUP, 4, 9, join("joined", "", "null", 600000, "consumer", RANGE), names);
        compareLeave("somebody else goes", "joined", "m");
        both.compare("an instance goes", LEAVE_GROUP, 3, 5, leave("joined", "", "'i'"));
    }

    /** Returns when both say that a group has no members: Apache Kafka ends the last one's rebalance after it has answered that one's leaving. */
    private void awaitEmpty(String group) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            for (int tries = 0; ; tries++) {
                JsonNode described = peer.ask(DESCRIBE_GROUPS, (short) 5, "{groups: ['%s'], includeAuthorizedOperations: false}".formatted(group));
                if (described.get("groups").get(0).get("groupState").asText().equals("Empty")) {
                    break;
                }
                Cases.check(peer.name + " does not empty " + group + ": " + described, tries < 5_000);
                Thread.sleep(10);
            }
        }
    }

    private void administration() throws Exception {
        BiConsumer<Peer, JsonNode> names = without("memberId", "leader");
        both.compare("groups", DESCRIBE_GROUPS, 3, 6, "{groups: ['joined', 'simple'], includeAuthorizedOperations: true}", names);
        BiConsumer<Peer, JsonNode> ours = (peer, answer) -> {
            if (answer.get("errorCode").asInt() == 0) {
                Differential.retain(answer.get("groups"), "groupId", List.of("joined", "simple"));
            }
        };
        String list = "{statesFilter: [%s], typesFilter: [%s]}";
        both.compare("all groups", LIST_GROUPS, 5, 5, list.formatted("", ""), ours);
        both.compare("all groups", LIST_GROUPS, 0, 3, "{}", ours);
        for (String state : List.of("'Stable'", "'stable', 'Empty'", "'nonsense'")) {
            both.compare("groups in state " + state.replace("'", ""), LIST_GROUPS, 4, 4, "{statesFilter: [" + state + "]}", ours);
        }
        for (String type : List.of("'classic'", "'CLASSIC'", "'consumer'", "'nonsense'")) {
            both.compare("groups of type " + type.replace("'", ""), LIST_GROUPS, 5, 5, list.formatted("", type), ours);
        }
        both.compare("offsets of a topic that is consumed", OFFSET_DELETE, 0, 0, offsetDelete("joined", "grouped", 0));
        both.compare("offsets of nothing", OFFSET_DELETE, 0, 0, offsetDelete("simple", "absent", 0));
        both.compare("offsets of no partition", OFFSET_DELETE, 0, 0, offsetDelete("simple", "grouped", 7));
        both.compare("offsets", OFFSET_DELETE, 0, 0, offsetDelete("simple", "grouped", 0));
        both.compare("what is left of them", OFFSET_FETCH, 8, 8, fetch("simple", "null"));
        both.compare("a group with members", DELETE_GROUPS, 0, 2, "{groupsNames: ['joined']}");
        both.compare("the member goes", LEAVE_GROUP, 2, 2, "{groupId: 'joined', memberId: '$member'}");
        awaitEmpty("joined");
        both.compare("groups", DELETE_GROUPS, 2, 2, "{groupsNames: ['joined', 'simple', 'simple']}");
        both.compare("no groups", LIST_GROUPS, 5, 5, list.formatted("", ""), ours);
    }
}
