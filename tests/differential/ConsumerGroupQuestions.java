import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_DESCRIBE;
import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_HEARTBEAT;
import static org.apache.kafka.common.protocol.ApiKeys.CREATE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.FIND_COORDINATOR;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/** The questions of members of consumer groups (KIP-848), and of who describes these. Both brokers compute assignments at once and keep silent members. */
final class ConsumerGroupQuestions {
    private final Differential both;

    private ConsumerGroupQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        ConsumerGroupQuestions questions = new ConsumerGroupQuestions(both);
        questions.prepare();
        questions.malformed();
        questions.strangers();
        questions.alone();
        questions.together();
        questions.uniform();
        questions.instances();
        ConsumerGroupOldApiQuestions.ask(both);
        GroupMigrationQuestions.ask(both);
        questions.patterns();
    }

    private void prepare() throws Exception {
        both.prepare(CREATE_TOPICS, 7, """
            {topics: [{name: 'shared-a', numPartitions: 4, replicationFactor: 1, assignments: [], configs: []},
                      {name: 'shared-b', numPartitions: 2, replicationFactor: 1, assignments: [], configs: []}],
             timeoutMs: 30000, validateOnly: false}""");
        both.kafka.learnTopicIds();
        both.ringmill.learnTopicIds();
        // Both coordinators are loaded and know the topics.
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            String join = ConsumerGroupRequests.join("cg-first", "m", "shared-a shared-b", "");
            JsonNode answer = null;
            for (int tries = 0; tries < 1_500; tries++) {
                peer.ask(FIND_COORDINATOR, (short) 4, "{keyType: 0, coordinatorKeys: ['cg-first']}");
                answer = peer.ask(CONSUMER_GROUP_HEARTBEAT, ConsumerGroupRequests.LAST, join);
                if (answer.path("assignment").path("topicPartitions").size() == 2) {
                    break;
                }
                Thread.sleep(20);
            }
            Cases.equal("topics that " + peer.name + " assigns: " + answer, 2, answer.path("assignment").path("topicPartitions").size());
        }
    }

    private void heartbeat(String name, String request) {
        both.compare(name, CONSUMER_GROUP_HEARTBEAT, 0, 1, request);
    }

    /** In the last version only: it changes something. */
    private void step(String name, String request) {
        both.compare(name, CONSUMER_GROUP_HEARTBEAT, 1, 1, request);
    }

    private void described(String name, String groups) {
        both.compare(name, CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe(groups));
    }

    private static String beat(String group, String member, int epoch, String more) {
        return ConsumerGroupRequests.beat(group, member, epoch, more);
    }

    private static String join(String group, String member, String topics, String more) {
        return ConsumerGroupRequests.join(group, member, topics, more);
    }

    private static String owns(String... topics) {
        return ConsumerGroupRequests.owns(topics);
    }

    private void malformed() {
        heartbeat("no group", join("", "m", "shared-a", ""));
        heartbeat("a blank group", join(" ", "m", "shared-a", ""));
        both.compare("no member id", CONSUMER_GROUP_HEARTBEAT, 1, 1, join("cg-bad", "", "shared-a", ""));
        heartbeat("no member id, but an epoch", beat("cg-bad", "", 1, ""));
        heartbeat("no member id leaves", beat("cg-bad", "", -1, ""));
        heartbeat("a blank member id", join("cg-bad", " ", "shared-a", ""));
        heartbeat("no instance id", join("cg-bad", "m", "shared-a", "instanceId: ''"));
        heartbeat("a blank instance id", join("cg-bad", "m", "shared-a", "instanceId: ' '"));
        heartbeat("no rack", join("cg-bad", "m", "shared-a", "rackId: ''"));
        heartbeat("no rebalance timeout", join("cg-bad", "m", "shared-a", "rebalanceTimeoutMs: -1"));
        heartbeat("owns nothing known", join("cg-bad", "m", "shared-a", "topicPartitions: null"));
        heartbeat("joins with partitions", join("cg-bad", "m", "shared-a", owns("shared-a 0")));
        heartbeat("no subscription", join("cg-bad", "m", "shared-a", "subscribedTopicNames: null"));
        heartbeat("an epoch below all", beat("cg-bad", "m", -3, ""));
        heartbeat("leaves for a while without instance", beat("cg-bad", "m", -2, ""));
        heartbeat("leaves for a while without instance, and without id", beat("cg-bad", "", -2, ""));
        heartbeat("an unknown assignor", join("cg-bad", "m", "shared-a", "serverAssignor: 'sticky'"));
        heartbeat("an assignor without name", join("cg-bad", "m", "shared-a", "serverAssignor: ''"));
        heartbeat("an unknown assignor, later", beat("cg-bad", "m", 1, "serverAssignor: 'sticky'"));
        heartbeat("two errors: group and member", beat("", "", 1, ""));
        heartbeat("two errors: assignor and rack", join("cg-bad", "m", "shared-a", "serverAssignor: 'sticky', rackId: ' '"));
        step("a regular expression that is none", ConsumerGroupRequests.joinByPattern("cg-bad", "m", "[a"));
        step("a regular expression that is none, later", beat("cg-bad", "m", 1, "subscribedTopicRegex: '(a'"));
        described("nobody joined", "cg-bad");
    }

    private void strangers() {
        heartbeat("an unknown group", beat("cg-none", "m", 1, ""));
        heartbeat("leaves an unknown group", beat("cg-none", "m", -1, ""));
        heartbeat("leaves an unknown group for a while", beat("cg-none", "m", -2, "instanceId: 'i'"));
        heartbeat("an instance of an unknown group", beat("cg-none", "m", 3, "instanceId: 'i'"));
        described("an unknown group, and none", "cg-none");
        both.compare("a group without name", CONSUMER_GROUP_DESCRIBE, 0, 1, "{groupIds: ['', 'cg-none'], includeAuthorizedOperations: false}");
        both.compare("no groups", CONSUMER_GROUP_DESCRIBE, 0, 1, "{groupIds: [], includeAuthorizedOperations: true}");
    }

    /** One member by itself: what it may say, in which epoch. */
    private void alone() throws Exception {
        step("joins", join("cg-alone", "m", "shared-a", ""));
        described("a group of one member", "cg-alone");
        step("joins again", join("cg-alone", "m", "shared-a", ""));
        heartbeat("alive", beat("cg-alone", "m", 2, ""));
        heartbeat("owns what it was given", beat("cg-alone", "m", 2, owns("shared-a 0 1 2 3")));
        heartbeat("owns more than it was given", beat("cg-alone", "m", 2, owns("shared-a 0 1 2 3 7", "shared-b 0")));
        heartbeat("says everything", beat("cg-alone", "m", 2, "rebalanceTimeoutMs: 600000, subscribedTopicNames: ['shared-a'], " + owns("shared-a 0 1 2 3")));
        heartbeat("another epoch", beat("cg-alone", "m", 7, ""));
        heartbeat("another member", beat("cg-alone", "x", 2, ""));
        heartbeat("another member leaves", beat("cg-alone", "x", -1, ""));
        heartbeat("an unknown instance", beat("cg-alone", "m", 2, "instanceId: 'i'"));
        heartbeat("an unknown instance leaves", beat("cg-alone", "m", -2, "instanceId: 'i'"));
        heartbeat("an unknown instance leaves for good", beat("cg-alone", "m", -1, "instanceId: 'i'"));
        step("subscribes to another topic", beat("cg-alone", "m", 2, "subscribedTopicNames: ['shared-a', 'shared-b']"));
        step("the epoch before, owning less", beat("cg-alone", "m", 2, owns("shared-a 0")));
        step("the epoch before, owning more", beat("cg-alone", "m", 2, owns("shared-a 0 9")));
        step("the epoch before, owning nothing known", beat("cg-alone", "m", 2, ""));
        step("the same topics in another order", beat("cg-alone", "m", 3, "subscribedTopicNames: ['shared-b', 'shared-a', 'shared-b']"));
        step("a topic that is not there", beat("cg-alone", "m", 3, "subscribedTopicNames: ['absent', 'shared-b']"));
        step("gave it up", beat("cg-alone", "m", 3, owns("shared-b 0 1")));
        described("a topic that is not there", "cg-alone");
        step("another assignor", beat("cg-alone", "m", 4, "serverAssignor: 'range'"));
        step("a rack", beat("cg-alone", "m", 5, "rackId: 'r1'"));
        step("another timeout", beat("cg-alone", "m", 5, "rebalanceTimeoutMs: 500000"));
        described("after all this", "cg-alone");
        step("an empty subscription", beat("cg-alone", "m", 5, "subscribedTopicNames: []"));
        step("an empty subscription, given up", beat("cg-alone", "m", 5, owns()));
        described("a member without topics", "cg-alone");
        heartbeat("an epoch of long ago", beat("cg-alone", "m", 2, ""));
        step("leaves", beat("cg-alone", "m", -1, ""));
        step("leaves again", beat("cg-alone", "m", -1, ""));
        heartbeat("who left", beat("cg-alone", "m", 6, ""));
        described("without members", "cg-alone");
        step("comes back", join("cg-alone", "m", "shared-b", ""));
        described("with one again", "cg-alone");
        both.compare("an id from the broker", CONSUMER_GROUP_HEARTBEAT, 0, 0, join("cg-given", "", "shared-b", ""), ConsumerGroupRequests.ids());
        both.compare("with a member that has its id from the broker", CONSUMER_GROUP_DESCRIBE, 1, 1, ConsumerGroupRequests.describe("cg-given"),
            ConsumerGroupRequests.ids());
    }

    /** Members come, give up and take over, one heartbeat at a time. Assignor: range, which does not choose. */
    private void together() {
        step("the first", join("cg-range", "m1", "shared-a", "serverAssignor: 'range'"));
        step("the second", join("cg-range", "m2", "shared-a", "serverAssignor: 'range'"));
        described("the first has yet to give up", "cg-range");
        step("the second waits", beat("cg-range", "m2", 3, owns()));
        step("the first is told", beat("cg-range", "m1", 2, owns("shared-a 0 1 2 3")));
        step("the first is still at it", beat("cg-range", "m1", 2, owns("shared-a 0 1 2 3")));
        step("the first says nothing of it", beat("cg-range", "m1", 2, ""));
        described("the first gives up", "cg-range");
        step("a third", join("cg-range", "m3", "shared-a shared-b", "serverAssignor: 'range'"));
        step("the first gave up", beat("cg-range", "m1", 2, owns("shared-a 0 1")));
        described("the third is there", "cg-range");
        step("the second is told", beat("cg-range", "m2", 3, owns()));
        step("the second gave up nothing", beat("cg-range", "m2", 4, owns("shared-a 2")));
        step("the third is told", beat("cg-range", "m3", 4, owns("shared-b 0 1")));
        step("the first again", beat("cg-range", "m1", 4, owns("shared-a 0 1")));
        described("at rest", "cg-range");
        step("a member leaves", beat("cg-range", "m2", -1, ""));
        described("one left", "cg-range");
        step("the first gets of it", beat("cg-range", "m1", 4, owns("shared-a 0 1")));
        step("the third gets of it", beat("cg-range", "m3", 4, owns("shared-a 3", "shared-b 0 1")));
        described("at rest without it", "cg-range");
        step("an assignor that few want", beat("cg-range", "m3", 5, "serverAssignor: 'uniform'"));
        described("two assignors", "cg-range");
        step("joins again, while it has partitions", join("cg-range", "m1", "shared-a", "serverAssignor: 'range'"));
        described("it joined again", "cg-range");
        step("nobody left: the first", beat("cg-range", "m1", -1, ""));
        step("nobody left: the third", beat("cg-range", "m3", -1, ""));
        described("nobody left", "cg-range");
    }

    /** How many each has is what an assignor that balances must agree on. */
    private void uniform() throws Exception {
        step("the only one", join("cg-uniform", "m1", "shared-a shared-b", ""));
        step("the second", join("cg-uniform", "m2", "shared-a shared-b", ""));
        both.compare("the second is there", CONSUMER_GROUP_DESCRIBE, 0, 1, ConsumerGroupRequests.describe("cg-uniform"),
            (peer, answer) -> ConsumerGroupRequests.count(answer));
    }

    /** Members with an instance id. */
    private void instances() {
        String one = "instanceId: 'one', serverAssignor: 'range'";
        step("an instance", join("cg-static", "m1", "shared-a", one));
        step("another", join("cg-static", "m2", "shared-b", "instanceId: 'two', serverAssignor: 'range'"));
        step("the first in the new epoch", beat("cg-static", "m1", 2, "instanceId: 'one', " + owns("shared-a 0 1 2 3")));
        described("two instances", "cg-static");
        heartbeat("an instance that somebody has", join("cg-static", "x", "shared-a", one));
        heartbeat("another member of that instance", beat("cg-static", "x", 3, "instanceId: 'one'"));
        heartbeat("another member leaves for that instance", beat("cg-static", "x", -1, "instanceId: 'one'"));
        heartbeat("another member leaves for a while for that instance", beat("cg-static", "x", -2, "instanceId: 'one'"));
        heartbeat("an instance of nobody", beat("cg-static", "m1", 3, "instanceId: 'three'"));
        heartbeat("another epoch", beat("cg-static", "m1", 9, "instanceId: 'one'"));
        heartbeat("without saying the instance", beat("cg-static", "m1", 3, ""));
        step("joins again", join("cg-static", "m1", "shared-a", one));
        step("leaves for a while", beat("cg-static", "m1", -2, "instanceId: 'one'"));
        described("it left for a while", "cg-static");
        heartbeat("who left for a while", beat("cg-static", "m1", 3, "instanceId: 'one'"));
        heartbeat("the others notice nothing", beat("cg-static", "m2", 3, "instanceId: 'two'"));
        step("comes back as another member", join("cg-static", "m3", "shared-a", one));
        described("it is back", "cg-static");
        heartbeat("who it was before", beat("cg-static", "m1", 3, "instanceId: 'one'"));
        heartbeat("alive", beat("cg-static", "m3", 3, "instanceId: 'one'"));
        step("leaves for a while again", beat("cg-static", "m3", -2, "instanceId: 'one'"));
        step("comes back with another subscription", join("cg-static", "m4", "shared-a shared-b", one));
        described("it is back with another subscription", "cg-static");
        step("leaves without saying the instance", beat("cg-static", "m2", -1, ""));
        step("leaves for good", beat("cg-static", "m4", -1, "instanceId: 'one'"));
        described("the instances are gone", "cg-static");
    }

    /** Topics by a regular expression: they come when the broker has looked. */
    private void patterns() throws Exception {
        step("a regular expression", ConsumerGroupRequests.joinByPattern("cg-pattern", "m1", "shared-.*"));
        owned("cg-pattern", "m1", 2);
        ConsumerGroupRequests.await(both, "cg-pattern", "Stable");
        described("a regular expression", "cg-pattern");
        step("an expression of nothing", ConsumerGroupRequests.joinByPattern("cg-nothing", "m1", "no-such-.*"));
        step("a name that is only found whole", ConsumerGroupRequests.joinByPattern("cg-whole", "m1", "shared"));
        step("names and an expression", join("cg-both", "m1", "shared-a", "subscribedTopicRegex: '.*-b'"));
        owned("cg-both", "m1", 2);
        ConsumerGroupRequests.await(both, "cg-both", "Stable");
        described("names and an expression", "cg-both");
    }

    /** Heartbeats until it has so many topics, at both. */
    private void owned(String group, String member, int topics) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            String describe = ConsumerGroupRequests.describe(group);
            JsonNode found = null;
            for (int tries = 0; tries < 1_500; tries++) {
                found = peer.ask(CONSUMER_GROUP_DESCRIBE, ConsumerGroupRequests.LAST, describe).get("groups").get(0);
                JsonNode self = found.path("members").path(0);
                if (self.path("assignment").path("topicPartitions").size() == topics) {
                    break;
                }
                peer.ask(CONSUMER_GROUP_HEARTBEAT, ConsumerGroupRequests.LAST, beat(group, member, self.path("memberEpoch").asInt(), ""));
                Thread.sleep(20);
            }
            Cases.equal("topics of " + peer.name + " in " + found, topics, found.path("members").path(0).path("assignment").path("topicPartitions").size());
        }
    }
}
