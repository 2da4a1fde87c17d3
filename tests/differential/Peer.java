import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * One of the two brokers that are compared: takes a request as JSON, sends it by Kafka's own codec over a socket of its own, and
 * gives the answer as JSON. In a request "$id:TOPIC" stands for the topic's id at this broker, "$producer" for a producer id that it gave,
 * "$session" for its last fetch session.
 */
final class Peer {
    static final JsonMapper JSON =
        JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES, JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES).build();
    static final JsonNode CLOSED = TextNode.valueOf("the connection was closed");

    static final JsonNode SILENT = TextNode.valueOf("no answer came");

    final String name;
    final Map<String, String> topicIds = new TreeMap<>();
    String producerId = "-1";
    String sessionId = "0";
    /** Stands for "$member": a member of a group at this broker. */
    String memberId = "";
    private final String host;
    private final int port;
    private Socket socket;
    private int correlationId;

    Peer(String name, String bootstrap) {
        this.name = name;
        this.host = bootstrap.substring(0, bootstrap.indexOf(':'));
        this.port = Integer.parseInt(bootstrap.substring(bootstrap.indexOf(':') + 1));
    }

    String bootstrap() {
        return host + ":" + port;
    }

    JsonNode ask(ApiKeys api, short version, String request) throws Exception {
        JsonNode json = JSON.readTree(fill(request));
        ApiMessage message = (ApiMessage) converter(api, "Request").getMethod("read", JsonNode.class, short.class).invoke(null, json, version);
        try {
            send(api, version, message);
            return receive(api, version);
        } catch (EOFException | SocketException closed) {
            socket = null;
            return CLOSED;
        } catch (SocketTimeoutException silent) {
            socket = null;
            return SILENT;
        }
    }

    private String fill(String request) {
        String filled = request.replace("$producer", producerId).replace("$session", sessionId).replace("$member", memberId);
        for (Map.Entry<String, String> topic : topicIds.entrySet()) {
            filled = filled.replace("$id:" + topic.getKey() + "'", topic.getValue() + "'");
        }
        return filled.replaceAll("[$]id:[^']*'", "AAAAAAAAAAAAAAAAAAAAAA'");
    }

    private static Class<?> converter(ApiKeys api, String kind) throws ClassNotFoundException {
        return Class.forName("org.apache.kafka.common.message." + api.name + kind + "DataJsonConverter");
    }

    private void send(ApiKeys api, short version, ApiMessage message) throws IOException {
        if (socket == null) {
            socket = new Socket(host, port);
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(120_000);
        }
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(api.id).setRequestApiVersion(version)
            .setCorrelationId(++correlationId).setClientId("differential");
        short headerVersion = api.requestHeaderVersion(version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = header.size(cache, headerVersion) + message.size(cache, version);
        ByteBuffer frame = ByteBuffer.allocate(4 + size).putInt(size);
        ByteBufferAccessor writer = new ByteBufferAccessor(frame);
        header.write(writer, cache, headerVersion);
        message.write(writer, cache, version);
        socket.getOutputStream().write(frame.array());
    }

    private JsonNode receive(ApiKeys api, short version) throws Exception {
        DataInputStream input = new DataInputStream(socket.getInputStream());
        byte[] frame = new byte[input.readInt()];
        input.readFully(frame);
        ByteBufferAccessor reader = new ByteBufferAccessor(ByteBuffer.wrap(frame));
        ResponseHeaderData header = new ResponseHeaderData(reader, api.responseHeaderVersion(version));
        Cases.equal("correlation id of " + name, correlationId, header.correlationId());
        ApiMessage response = api.messageType.newResponse();
        response.read(reader, version);
        Cases.equal("bytes behind the answer of " + name, 0, reader.remaining());
        return (JsonNode) converter(api, "Response").getMethod("write", response.getClass(), short.class).invoke(null, response, version);
    }

    /** Learns the ids of all topics, for "$id:TOPIC". */
    void learnTopicIds() throws Exception {
        JsonNode metadata = ask(ApiKeys.METADATA, (short) 12, """
            {topics: null, allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false}""");
        for (JsonNode topic : (ArrayNode) metadata.get("topics")) {
            topicIds.put(topic.get("name").asText(), topic.get("topicId").asText());
        }
    }
}
