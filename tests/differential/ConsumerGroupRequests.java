import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_DESCRIBE;
import static org.apache.kafka.common.protocol.ApiKeys.CONSUMER_GROUP_HEARTBEAT;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;

/** Requests of consumer groups (KIP-848) as JSON, and the wait until both brokers have nothing more to give to a group's members. */
final class ConsumerGroupRequests {
    static final short LAST = 1;
    /** What a member says when it joins or comes back, but for its topics. */
    private static final String JOINING = "rebalanceTimeoutMs: 600000, topicPartitions: []";

    private ConsumerGroupRequests() {
    }

    /** A heartbeat; `more` are fields that say something. Of two fields of one name the last one counts. */
    static String beat(String group, String member, int epoch, String more) {
        return """
            {instanceId: null, rackId: null, rebalanceTimeoutMs: -1, subscribedTopicNames: null, subscribedTopicRegex: null,
             serverAssignor: null, topicPartitions: null, groupId: '%s', memberId: '%s', memberEpoch: %d%s}"""
            .formatted(group, member, epoch, more.isEmpty() ? "" : ", " + more);
    }

    static String join(String group, String member, String topics, String more) {
        String fields = JOINING + ", subscribedTopicNames: " + names(topics);
        return beat(group, member, 0, more.isEmpty() ? fields : fields + ", " + more);
    }

    static String joinByPattern(String group, String member, String regex) {
        return beat(group, member, 0, JOINING + ", subscribedTopicRegex: '" + regex + "'");
    }

    /** "a b" as a list of strings. */
    static String names(String names) {
        return Stream.of(names.split(" ")).filter(name -> !name.isEmpty()).map(name -> "'" + name + "'").collect(Collectors.joining(", ", "[", "]"));
    }

    /** What a member says that it owns: "topic 0 1 2". */
    static String owns(String... topics) {
        return Stream.of(topics).map(topic -> {
            String[] words = topic.split(" ", 2);
            return "{topicId: '$id:%s', partitions: [%s]}".formatted(words[0], words[1].replace(" ", ", "));
        }).collect(Collectors.joining(", ", "topicPartitions: [", "]"));
    }

    static String describe(String groups) {
        return "{groupIds: " + names(groups) + ", includeAuthorizedOperations: true}";
    }

    /** A classic member's account of itself, as base64. */
    static String subscription(List<String> topics, List<TopicPartition> owned) {
        return Base64.getEncoder().encodeToString(bytes(ConsumerProtocol.serializeSubscription(new Subscription(topics, null, owned))));
    }

    /** What the leader of a classic group gives to a member, as base64. */
    static String assignment(String topic, Integer... partitions) {
        List<TopicPartition> given = Stream.of(partitions).map(partition -> new TopicPartition(topic, partition)).toList();
        return Base64.getEncoder().encodeToString(bytes(ConsumerProtocol.serializeAssignment(new Assignment(given))));
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    static void remove(JsonNode node, String... fields) {
        if (node instanceof ObjectNode object) {
            object.remove(List.of(fields));
        }
        node.forEach(child -> remove(child, fields));
    }

    static BiConsumer<Peer, JsonNode> without(String... fields) {
        return (peer, answer) -> remove(answer, fields);
    }

    /** Members' ids are each broker's own where it makes them. */
    static BiConsumer<Peer, JsonNode> ids() {
        return without("memberId");
    }

    /** Instead of which partitions, how many: where an assignor may choose. */
    static void count(JsonNode node) {
        JsonNode topics = node.path("topicPartitions");
        if (node instanceof ObjectNode object && topics.isArray()) {
            int sum = 0;
            for (JsonNode topic : topics) {
                sum += topic.get("partitions").size();
            }
            object.put("topicPartitions", sum);
        }
        node.forEach(ConsumerGroupRequests::count);
    }

    /** Both have reached this state with the group: asks, with a heartbeat of each member in between, until they have. */
    static void await(Differential both, String group, String state, String... beats) throws Exception {
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            JsonNode described = null;
            for (int tries = 0; tries < 1_500; tries++) {
                for (String beat : beats) {
                    peer.ask(CONSUMER_GROUP_HEARTBEAT, LAST, beat);
                }
                described = peer.ask(CONSUMER_GROUP_DESCRIBE, LAST, describe(group)).get("groups").get(0);
                if (described.get("groupState").asText().equals(state)) {
                    break;
                }
                Thread.sleep(20);
            }
            Cases.equal("state of group " + group + " of " + peer.name + ": " + described, state, described.get("groupState").asText());
        }
    }
}
