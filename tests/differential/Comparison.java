import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What of two answers must be the same. Every field that need not be stands in the table below, with its reason. */
final class Comparison {
    enum What {
        /** Not compared. */
        NOTHING,
        /** Whether there is a value: not null, not empty, not zero, not -1. */
        PRESENCE
    }

    record Exception(String field, What what, String reason) {
    }

    static final List<Exception> EXCEPTIONS = List.of(
        new Exception("clusterId", What.PRESENCE, "each cluster draws its own"),
        new Exception("topicId", What.PRESENCE, "each topic draws its own"),
        new Exception("producerId", What.PRESENCE, "given in blocks whose size is the broker's business"),
        new Exception("sessionId", What.PRESENCE, "drawn at random"),
        new Exception("host", What.PRESENCE, "two brokers on one machine"),
        new Exception("port", What.PRESENCE, "two brokers on one machine"),
        new Exception("logDir", What.PRESENCE, "two directories on one machine"),
        new Exception("totalBytes", What.PRESENCE, "asked of the file system at different times"),
        new Exception("usableBytes", What.PRESENCE, "asked of the file system at different times"),
        new Exception("logAppendTimeMs", What.PRESENCE, "a clock"),
        new Exception("errorMessage", What.PRESENCE, "the words are each broker's own"),
        new Exception("batchIndexErrorMessage", What.PRESENCE, "the words are each broker's own"),
        new Exception("documentation", What.PRESENCE, "the words are each broker's own"),
        new Exception("finalizedFeaturesEpoch", What.PRESENCE, "an offset in each cluster's metadata log"),
        new Exception("supportedFeatures", What.NOTHING, "Ringmill announces a feature when it works"),
        new Exception("finalizedFeatures", What.NOTHING, "Ringmill announces a feature when it works"),
        new Exception("throttleTimeMs", What.NOTHING, "a clock"));

    private Comparison() {
    }

    /** Every difference as "path: Kafka's value / Ringmill's value". */
    static List<String> differences(JsonNode kafka, JsonNode ringmill) {
        List<String> found = new ArrayList<>();
        compare("", scrub(null, kafka), scrub(null, ringmill), found);
        return found;
    }

    private static void compare(String path, JsonNode kafka, JsonNode ringmill, List<String> found) {
        if (kafka instanceof ObjectNode && ringmill instanceof ObjectNode) {
            Set<String> fields = new TreeSet<>();
            kafka.fieldNames().forEachRemaining(fields::add);
            ringmill.fieldNames().forEachRemaining(fields::add);
            fields.forEach(field -> compare(path + "." + field, kafka.path(field), ringmill.path(field), found));
        } else if (kafka instanceof ArrayNode && ringmill instanceof ArrayNode && named((ArrayNode) kafka) && named((ArrayNode) ringmill)) {
            compare(path, byName((ArrayNode) kafka), byName((ArrayNode) ringmill), found);
        } else if (kafka instanceof ArrayNode && ringmill instanceof ArrayNode && kafka.size() == ringmill.size()) {
            for (int i = 0; i < kafka.size(); i++) {
                compare(path + "[" + i + "]", kafka.get(i), ringmill.get(i), found);
            }
        } else if (!kafka.equals(ringmill)) {
            found.add(path.replaceFirst("^\\.", "") + ": " + brief(kafka) + " / " + brief(ringmill));
        }
    }

    private static String brief(JsonNode node) {
        String text = node.isMissingNode() ? "absent" : node.toString();
        return text.length() > 200 ? text.substring(0, 200) + "..." : text;
    }

    /** Entries that tell themselves apart by a name are compared by it, whatever their order. */
    private static String nameOf(JsonNode entry) {
        for (String field : List.of("name", "topicName", "resourceName", "topic", "topicId", "configName", "apiKey", "partitionIndex", "partition", "brokerId", "nodeId")) {
            if (entry.has(field) && !entry.get(field).isNull() && !entry.get(field).asText().isEmpty()) {
                return entry.get(field).asText();
            }
        }
        return null;
    }

    private static boolean named(ArrayNode array) {
        Set<String> names = new TreeSet<>();
        for (JsonNode entry : array) {
            if (!(entry instanceof ObjectNode) || nameOf(entry) == null || !names.add(nameOf(entry))) {
                return false;
            }
        }
        return !array.isEmpty();
    }

    private static ObjectNode byName(ArrayNode array) {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        array.forEach(entry -> object.set(nameOf(entry), entry));
        return object;
    }

    private static JsonNode scrub(String field, JsonNode node) {
        for (Exception exception : EXCEPTIONS) {
            if (exception.field().equals(field)) {
                return JsonNodeFactory.instance.textNode(exception.what() == What.NOTHING ? "-" : present(node) ? "<some>" : "<none>");
            }
        }
        if (node instanceof ObjectNode object) {
            ObjectNode scrubbed = JsonNodeFactory.instance.objectNode();
            object.fields().forEachRemaining(entry -> scrubbed.set(entry.getKey(), scrub(entry.getKey(), entry.getValue())));
            return scrubbed;
        }
        if (node instanceof ArrayNode array) {
            List<JsonNode> entries = new ArrayList<>();
            array.forEach(entry -> entries.add(scrub(null, entry)));
            entries.sort(Comparator.comparing(JsonNode::toString));
            return JsonNodeFactory.instance.arrayNode().addAll(entries);
        }
        return node;
    }

    private static boolean present(JsonNode node) {
        return !(node.isNull() || node.isTextual() && (node.asText().isEmpty() || node.asText().equals("AAAAAAAAAAAAAAAAAAAAAA"))
            || node.isNumber() && (node.asLong() == 0 || node.asLong() == -1));
    }
}
