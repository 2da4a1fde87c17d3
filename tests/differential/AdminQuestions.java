import static org.apache.kafka.common.protocol.ApiKeys.ALTER_CONFIGS;
import static org.apache.kafka.common.protocol.ApiKeys.CREATE_PARTITIONS;
import static org.apache.kafka.common.protocol.ApiKeys.CREATE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.DELETE_TOPICS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_CLUSTER;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_CONFIGS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_LOG_DIRS;
import static org.apache.kafka.common.protocol.ApiKeys.DESCRIBE_TOPIC_PARTITIONS;
import static org.apache.kafka.common.protocol.ApiKeys.INCREMENTAL_ALTER_CONFIGS;
import static org.apache.kafka.common.protocol.ApiKeys.LIST_CONFIG_RESOURCES;
import static org.apache.kafka.common.protocol.ApiKeys.UPDATE_FEATURES;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** The questions of administrators: topics, partitions, configs, log dirs, cluster. */
final class AdminQuestions {
    /** Broker configs whose value or presence differs, with the reason. */
    private static final Map<String, String> BROKER_CONFIG_EXCEPTIONS = Map.ofEntries(
        Map.entry("log.flush.interval.messages", "an acknowledgement is a promise: 1 by default"),
        Map.entry("log.dirs", "two directories on one machine"),
        Map.entry("log.dir", "two directories on one machine"),
        Map.entry("listeners", "two brokers on one machine"),
        Map.entry("advertised.listeners", "two brokers on one machine"),
        Map.entry("listener.security.protocol.map", "Apache Kafka needs a listener for its controller"),
        Map.entry("controller.listener.names", "Apache Kafka needs a listener for its controller"),
        Map.entry("controller.quorum.voters", "Apache Kafka needs to be told its quorum"),
        Map.entry("process.roles", "Apache Kafka needs to be told"),
        Map.entry("node.id", "Apache Kafka needs to be told"),
        Map.entry("broker.id", "Apache Kafka needs to be told"),
        Map.entry("offsets.topic.replication.factor", "Apache Kafka needs to be told that it is alone"),
        Map.entry("transaction.state.log.replication.factor", "Apache Kafka needs to be told that it is alone"),
        Map.entry("transaction.state.log.min.isr", "Apache Kafka needs to be told that it is alone"),
        Map.entry("group.consumer.assignor.offload.enable", "internal to Apache Kafka, which is told to assign before it answers"),
        Map.entry("share.coordinator.state.topic.replication.factor", "1 by default, as a first try needs it"),
        Map.entry("share.coordinator.state.topic.min.isr", "1 by default, as a first try needs it"),
        Map.entry("min.insync.replicas", "with eligible leader replicas, Apache Kafka writes it into the cluster's own configs"),
        Map.entry("group.initial.rebalance.delay.ms", "set by the harness"));
    private static final Map<String, String> TOPIC_CONFIG_EXCEPTIONS = Map.of(
        "flush.messages", "an acknowledgement is a promise: 1 by default",
        "min.insync.replicas", BROKER_CONFIG_EXCEPTIONS.get("min.insync.replicas"));

    private final Differential both;

    private AdminQuestions(Differential both) {
        this.both = both;
    }

    static void ask(Differential both) throws Exception {
        AdminQuestions questions = new AdminQuestions(both);
        questions.createTopics();
        questions.createPartitions();
        questions.describeConfigs();
        questions.alterConfigs();
        questions.describeLogDirs();
        questions.describeCluster();
        questions.describeTopicPartitions();
        questions.updateFeatures();
        questions.listConfigResources();
        questions.deleteTopics();
    }

    private static String create(String topics, boolean validateOnly) {
        return "{topics: [" + topics + "], timeoutMs: 30000, validateOnly: " + validateOnly + "}";
    }

    private static String topic(String name, int partitions, int replicas, String assignments, String configs) {
        return "{name: '%s', numPartitions: %d, replicationFactor: %d, assignments: [%s], configs: [%s]}"
            .formatted(name, partitions, replicas, assignments, configs);
    }

    private void createOne(String what, String topic) {
        both.compare(what, CREATE_TOPICS, 2, 7, create(topic, true), AdminQuestions::withoutExceptions);
    }

    private static void withoutExceptions(Peer peer, JsonNode answer) {
        for (JsonNode topic : answer.path("topics")) {
            remove(topic.path("configs"), "name", TOPIC_CONFIG_EXCEPTIONS.keySet());
        }
        for (JsonNode result : answer.path("results")) {
            remove(result.path("configs"), "name", TOPIC_CONFIG_EXCEPTIONS.keySet());
        }
    }

    private static void remove(JsonNode array, String field, java.util.Collection<String> values) {
        if (array instanceof ArrayNode) {
            for (Iterator<JsonNode> entries = array.elements(); entries.hasNext();) {
                if (values.contains(entries.next().get(field).asText())) {
                    entries.remove();
                }
            }
        }
    }

    private void createTopics() {
        createOne("that is fine", topic("fine", 2, 1, "", "{name: 'retention.ms', value: '1000'}"));
        createOne("with defaults", topic("defaults", -1, -1, "", ""));
        createOne("that exists", topic("full", 1, 1, "", ""));
        for (String name : List.of("", ".", "..", "bad name", "slash/ed", "x".repeat(249), "x".repeat(250), "\u00fcmlaut", "__cluster_metadata", "__consumer_offsets")) {
            createOne("named '" + (name.length() > 20 ? name.length() + " times x" : name) + "'", topic(name, 1, 1, "", ""));
        }
        createOne("of 0 partitions", topic("none", 0, 1, "", ""));
        createOne("of -2 partitions", topic("none", -2, 1, "", ""));
        createOne("of 20000 partitions", topic("huge", 20_000, 1, "", ""));
        createOne("of 0 replicas", topic("none", 1, 0, "", ""));
        createOne("of 2 replicas", topic("none", 1, 2, "", ""));
        createOne("of -2 replicas", topic("none", 1, -2, "", ""));
        createOne("assigned", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: [1]}, {partitionIndex: 1, brokerIds: [1]}", ""));
        createOne("assigned and counted", topic("assigned", 2, 1, "{partitionIndex: 0, brokerIds: [1]}", ""));
        createOne("assigned to a stranger", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: [99]}", ""));
        createOne("assigned to one broker twice", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: [1, 1]}", ""));
        createOne("assigned to nobody", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: []}", ""));
        createOne("assigned with a gap", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: [1]}, {partitionIndex: 2, brokerIds: [1]}", ""));
        createOne("assigned twice", topic("assigned", -1, -1, "{partitionIndex: 0, brokerIds: [1]}, {partitionIndex: 0, brokerIds: [1]}", ""));
        for (String config : List.of("no.such.config=1", "retention.ms=soon", "retention.ms=-2", "cleanup.policy=burn", "cleanup.policy=", "segment.bytes=1", "max.message.bytes=-1",
            "compression.type=rar", "compression.type=zstd", "message.timestamp.type=Sometimes", "min.insync.replicas=0", "cleanup.policy=compact,delete",
            "min.cleanable.dirty.ratio=2", "unclean.leader.election.enable=perhaps", "flush.messages=0", "retention.bytes=-1", "segment.ms=0", "min.compaction.lag.ms=-1",
            "index.interval.bytes=-1", "preallocate=true", "remote.storage.enable=true", "message.format.version=3.0")) {
            String[] parts = config.split("=", 2);
            createOne("with " + config, topic("configured", 1, 1, "", "{name: '" + parts[0] + "', value: '" + parts[1] + "'}"));
        }
        createOne("with a null config", topic("configured", 1, 1, "", "{name: 'retention.ms', value: null}"));
        createOne("twice in one request", topic("twice", 1, 1, "", "") + "," + topic("twice", 1, 1, "", ""));
        createOne("of which some are bad", topic("good", 1, 1, "", "") + "," + topic("none", 0, 1, "", "") + "," + topic("full", 1, 1, "", ""));
        createOne("of none", "");
    }

    private void createPartitions() {
        String request = "{topics: [%s], timeoutMs: 30000, validateOnly: true}";
        String topic = "{name: '%s', count: %d, assignments: %s}";
        both.compare("more", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 5, "null")));
        both.compare("as many as there are", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 3, "null")));
        both.compare("fewer", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 1, "null")));
        both.compare("-1", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", -1, "null")));
        both.compare("of an unknown topic", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("absent", 5, "null")));
        both.compare("of an invalid topic", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("bad name", 5, "null")));
        both.compare("assigned", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 4, "[{brokerIds: [1]}]")));
        both.compare("assigned to a stranger", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 4, "[{brokerIds: [99]}]")));
        both.compare("assigned too few", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 5, "[{brokerIds: [1]}]")));
        both.compare("assigned too many", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 4, "[{brokerIds: [1]}, {brokerIds: [1]}]")));
        both.compare("with two replicas", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 4, "[{brokerIds: [1, 1]}]")));
        both.compare("twice in one request", CREATE_PARTITIONS, 0, 3, request.formatted(topic.formatted("full", 4, "null") + "," + topic.formatted("full", 5, "null")));
        both.compare("of nothing", CREATE_PARTITIONS, 0, 3, request.formatted(""));
    }

    private static String describe(int type, String name, String keys) {
        return "{resources: [{resourceType: %d, resourceName: '%s', configurationKeys: %s}], includeSynonyms: true, includeDocumentation: false}"
            .formatted(type, name, keys);
    }

    private void describeConfigs() {
        both.compare("all of a topic", DESCRIBE_CONFIGS, 1, 4, describe(2, "compacted", "null"), AdminQuestions::withoutExceptions);
        both.compare("all of a topic, with documentation", DESCRIBE_CONFIGS, 3, 4,
            describe(2, "compacted", "null").replace("includeDocumentation: false", "includeDocumentation: true"), AdminQuestions::withoutExceptions);
        both.compare("some of a topic", DESCRIBE_CONFIGS, 1, 4, describe(2, "full", "['retention.ms', 'no.such.config', 'cleanup.policy']"));
        both.compare("none of a topic", DESCRIBE_CONFIGS, 1, 4, describe(2, "full", "[]"), AdminQuestions::withoutExceptions);
        both.compare("of an unknown topic", DESCRIBE_CONFIGS, 1, 4, describe(2, "absent", "null"));
        both.compare("of an invalid topic", DESCRIBE_CONFIGS, 1, 4, describe(2, "bad name", "null"));
        both.compare("of an unknown kind", DESCRIBE_CONFIGS, 1, 4, describe(77, "x", "null"));
        both.compare("of another broker", DESCRIBE_CONFIGS, 1, 4, describe(4, "99", "null"));
        both.compare("of a broker that is no number", DESCRIBE_CONFIGS, 1, 4, describe(4, "one", "null"));
        both.compare("of the cluster's default", DESCRIBE_CONFIGS, 1, 4, describe(4, "", "null"), AdminQuestions::withoutExceptions);
        both.compare("all of a broker", DESCRIBE_CONFIGS, 4, 4, describe(4, "1", "null"), (peer, answer) -> {
            for (JsonNode result : answer.path("results")) {
                remove(result.path("configs"), "name", BROKER_CONFIG_EXCEPTIONS.keySet());
                // Our own keys begin with ringmill.
                for (Iterator<JsonNode> configs = result.path("configs").elements(); configs.hasNext();) {
                    if (configs.next().path("name").asText().startsWith("ringmill.")) {
                        configs.remove();
                    }
                }
            }
        });
    }

    private void alterConfigs() {
        String incremental = "{resources: [{resourceType: %d, resourceName: '%s', configs: [%s]}], validateOnly: true}";
        String operation = "{name: '%s', configOperation: %d, value: %s}";
        for (var change : List.of(new Object[] {"retention.ms", 0, "'1000'"}, new Object[] {"retention.ms", 0, "'soon'"}, new Object[] {"retention.ms", 0, "null"},
            new Object[] {"retention.ms", 1, "null"}, new Object[] {"retention.ms", 2, "'1'"}, new Object[] {"retention.ms", 3, "'1'"},
            new Object[] {"cleanup.policy", 2, "'compact'"}, new Object[] {"cleanup.policy", 3, "'delete'"},
            new Object[] {"cleanup.policy", 2, "'burn'"}, new Object[] {"no.such.config", 0, "'1'"}, new Object[] {"no.such.config", 1, "null"})) {
            both.compare("topic: " + List.of(change), INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(2, "full", operation.formatted(change)));
        }
        String set = operation.formatted("retention.ms", 0, "'1'");
        both.compare("of an unknown topic", INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(2, "absent", set));
        both.compare("of an invalid topic", INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(2, "bad name", set));
        both.compare("of an unknown kind", INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(77, "x", set));
        both.compare("of another broker", INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(4, "99", operation.formatted("log.retention.ms", 0, "'1'")));
        both.compare("of a broker that is no number", INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(4, "one", operation.formatted("log.retention.ms", 0, "'1'")));
        for (String name : List.of("log.retention.ms", "process.roles", "no.such.config", "message.max.bytes")) {
            both.compare("broker: " + name, INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(4, "1", operation.formatted(name, 0, "'1000'")));
            both.compare("cluster's default: " + name, INCREMENTAL_ALTER_CONFIGS, 0, 1, incremental.formatted(4, "", operation.formatted(name, 0, "'1000'")));
        }
        String all = "{resources: [{resourceType: %d, resourceName: '%s', configs: [{name: '%s', value: %s}]}], validateOnly: true}";
        both.compare("of a topic", ALTER_CONFIGS, 0, 2, all.formatted(2, "full", "retention.ms", "'1000'"));
        both.compare("with a bad value", ALTER_CONFIGS, 0, 2, all.formatted(2, "full", "retention.ms", "'soon'"));
        both.compare("with null", ALTER_CONFIGS, 0, 2, all.formatted(2, "full", "retention.ms", "null"));
        both.compare("with an unknown config", ALTER_CONFIGS, 0, 2, all.formatted(2, "full", "no.such.config", "'1'"));
        both.compare("of an unknown topic", ALTER_CONFIGS, 0, 2, all.formatted(2, "absent", "retention.ms", "'1'"));
        both.compare("of another broker", ALTER_CONFIGS, 0, 2, all.formatted(4, "99", "log.retention.ms", "'1'"));
        both.compare("of an unknown kind", ALTER_CONFIGS, 0, 2, all.formatted(77, "x", "log.retention.ms", "'1'"));
    }

    private void describeLogDirs() {
        both.compare("of some partitions", DESCRIBE_LOG_DIRS, 1, 5, "{topics: [{topic: 'full', partitions: [0, 1, 2]}]}");
        both.compare("of an unknown topic and partition", DESCRIBE_LOG_DIRS, 1, 5, "{topics: [{topic: 'absent', partitions: [0]}, {topic: 'full', partitions: [99]}]}");
        both.compare("of nothing", DESCRIBE_LOG_DIRS, 1, 5, "{topics: []}");
    }

    private void describeCluster() {
        String request = "{includeClusterAuthorizedOperations: %s, endpointType: %d, includeFencedBrokers: %s}";
        both.compare("its brokers", DESCRIBE_CLUSTER, 0, 2, request.formatted("false", 1, "false"));
        both.compare("with fenced brokers", DESCRIBE_CLUSTER, 2, 2, request.formatted("false", 1, "true"));
        both.compare("with authorized operations", DESCRIBE_CLUSTER, 0, 2, request.formatted("true", 1, "false"));
        both.compare("its controllers, asked of a broker", DESCRIBE_CLUSTER, 1, 2, request.formatted("false", 2, "false"));
        both.compare("an unknown kind of endpoint", DESCRIBE_CLUSTER, 1, 2, request.formatted("false", 9, "false"));
    }

    private void describeTopicPartitions() {
        String request = "{topics: [%s], responsePartitionLimit: %d, cursor: %s}";
        both.compare("all", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("", 2000, "null"));
        both.compare("some", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'full'}, {name: 'empty'}", 2000, "null"));
        both.compare("unknown and invalid ones", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'absent'}, {name: 'bad name'}, {name: 'full'}", 2000, "null"));
        both.compare("at most two", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'empty'}, {name: 'full'}", 2, "null"));
        both.compare("at most none", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'full'}", 0, "null"));
        both.compare("from a cursor on", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'empty'}, {name: 'full'}", 1, "{topicName: 'full', partitionIndex: 1}"));
        both.compare("from a negative cursor on", DESCRIBE_TOPIC_PARTITIONS, 0, 0, request.formatted("{name: 'full'}", 1, "{topicName: 'full', partitionIndex: -1}"));
    }

    private static String level(String feature, int level, int type) {
        return "{feature: '%s', maxVersionLevel: %d, upgradeType: %d}".formatted(feature, level, type);
    }

    /** Each is asked of whether it could be; version 0 cannot ask, and allows no downgrade whatever it says. */
    private void updateFeatures() {
        String request = "{timeoutMs: 30000, featureUpdates: [%s], validateOnly: true}";
        both.compare("none", UPDATE_FEATURES, 1, 2, request.formatted(""));
        both.compare("one that does not exist", UPDATE_FEATURES, 1, 2, request.formatted(level("no.such.version", 1, 1)));
        both.compare("one that does not exist, away", UPDATE_FEATURES, 1, 2, request.formatted(level("no.such.version", 0, 1)));
        both.compare("one that does not exist beside one that does", UPDATE_FEATURES, 1, 2,
            request.formatted(level("transaction.version", 1, 2) + "," + level("no.such.version", 1, 1)));
        both.compare("two", UPDATE_FEATURES, 1, 2, request.formatted(level("transaction.version", 1, 2) + "," + level("metadata.version", 30, 1)));
        both.compare("one twice", UPDATE_FEATURES, 1, 2, request.formatted(level("transaction.version", 1, 2) + "," + level("transaction.version", 0, 2)));
        for (int type = 0; type <= 4; type++) {
            for (int level = -1; level <= 3; level++) {
                both.compare("transactions to " + level + " by type " + type, UPDATE_FEATURES, 1, 2, request.formatted(level("transaction.version", level, type)));
            }
            for (int level : new int[] {0, 6, 7, 29, 30, 31}) {
                both.compare("metadata to " + level + " by type " + type, UPDATE_FEATURES, 1, 2, request.formatted(level("metadata.version", level, type)));
            }
        }
        String simple = "{timeoutMs: 30000, featureUpdates: [{feature: 'transaction.version', maxVersionLevel: %d, allowDowngrade: %s}]}";
        both.compare("transactions down", UPDATE_FEATURES, 0, 0, simple.formatted(1, false));
        both.compare("transactions down, allowed", UPDATE_FEATURES, 0, 0, simple.formatted(1, true));
        both.compare("transactions where they are", UPDATE_FEATURES, 0, 0, simple.formatted(2, false));
        both.compare("transactions where they are, downgrades allowed", UPDATE_FEATURES, 0, 0, simple.formatted(2, true));
    }

    /** Of everything only what both have: each broker has topics of its own, too. */
    private void listConfigResources() {
        String request = "{resourceTypes: [%s]}";
        both.compare("of client metrics", LIST_CONFIG_RESOURCES, 0, 0, "{}");
        for (int type : new int[] {4, 8, 16, 32}) {
            both.compare("of kind " + type, LIST_CONFIG_RESOURCES, 1, 1, request.formatted(type));
        }
        both.compare("of two kinds", LIST_CONFIG_RESOURCES, 1, 1, request.formatted("4, 16"));
        both.compare("of one kind twice", LIST_CONFIG_RESOURCES, 1, 1, request.formatted("16, 16"));
        for (int type : new int[] {0, -1, 1, 64, 127}) {
            both.compare("of kind " + type, LIST_CONFIG_RESOURCES, 1, 1, request.formatted("4, " + type));
        }
    }

    /** The same question as versions 1 to 5 ask it, by names alone, and as version 6 does. */
    private void delete(String what, String... names) {
        String topics = String.join(", ", Arrays.stream(names).map(name -> "{name: '" + name + "', topicId: 'AAAAAAAAAAAAAAAAAAAAAA'}").toList());
        String topicNames = String.join(", ", Arrays.stream(names).map(name -> "'" + name + "'").toList());
        both.compare(what, DELETE_TOPICS, 1, 5, "{topicNames: [" + topicNames + "], timeoutMs: 30000}");
        both.compare(what, DELETE_TOPICS, 6, 6, "{topics: [" + topics + "], timeoutMs: 30000}");
    }

    private void deleteTopics() throws Exception {
        delete("an unknown name", "absent");
        delete("an invalid name", "bad name");
        delete("nothing");
        delete("one twice", "empty", "empty");
        both.compare("an unknown id", DELETE_TOPICS, 6, 6, "{topics: [{name: null, topicId: 'BBBBBBBBBBBBBBBBBBBBBA'}], timeoutMs: 30000}");
        both.compare("an id and a name", DELETE_TOPICS, 6, 6, "{topics: [{name: 'full', topicId: '$id:full'}], timeoutMs: 30000}");
        both.compare("neither", DELETE_TOPICS, 6, 6, "{topics: [{name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAA'}], timeoutMs: 30000}");
        // The first version that asks finds it, the others do not.
        for (String name : List.of("deleted", "deleted-6")) {
            both.prepare(CREATE_TOPICS, 7, create(topic(name, 1, 1, "", ""), false));
        }
        delete("one that exists, then is gone", "deleted");
        both.compare("one that exists, then is gone", DELETE_TOPICS, 6, 6, "{topics: [{name: 'deleted-6', topicId: 'AAAAAAAAAAAAAAAAAAAAAA'}], timeoutMs: 30000}");
    }
}
