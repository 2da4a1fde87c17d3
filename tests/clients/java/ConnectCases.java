import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.runtime.Connect;

/**
 * A worker of Kafka Connect in distributed mode with a file source and a file sink: what is in one file comes to be in the other, once and in
 * order, over a second worker's life and the broker's. Arguments: bootstrap, directory, port of the REST API, which life.
 */
public final class ConnectCases {
    private static final int LINES = 2000;
    private static final String SOURCE = """
        {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "connect-lines",
         "file": "%s"}""";
    private static final String SINK = """
        {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "2", "topics": "connect-lines",
         "file": "%s"}""";
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static String bootstrap;
    private static String rest;
    private static Path from;
    private static Path to;
    private static int life;

    private ConnectCases() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        from = Path.of(args[1], "connect-from");
        to = Path.of(args[1], "connect-to");
        rest = "http://127.0.0.1:" + args[2];
        life = Integer.parseInt(args[3]);
        append(2 * life - 2);
        Connect<?> worker = new ConnectDistributed().startConnect(settings());
        Cases cases = new Cases();
        if (life == 1) {
            cases.run("Connect: a source and a sink are made and run", ConnectCases::make);
        } else {
            cases.run("Connect: a new worker finds its connectors and goes on", ConnectCases::running);
        }
        cases.run("Connect: a file goes through a topic to another file", () -> arrives(2 * life - 1));
        append(2 * life - 1);
        cases.run("Connect: what is appended follows", () -> arrives(2 * life));
        worker.stop();
        worker.awaitStop();
        System.exit(cases.status());
    }

    private static Map<String, String> settings() {
        Map<String, String> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", "connect");
        settings.put("listeners", rest);
        for (String topic : List.of("config", "offset", "status")) {
            settings.put(topic + ".storage.topic", "connect-" + topic);
            settings.put(topic + ".storage.replication.factor", "1");
        }
        settings.put("offset.storage.partitions", "5");
        settings.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
        settings.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        settings.put("offset.flush.interval.ms", "1000");
        settings.put("plugin.discovery", "service_load");
        // The rest of a worker that was not stopped need not be waited for.
        settings.put("scheduled.rebalance.max.delay.ms", "0");
        return settings;
    }

    /** ASCII alone: the file source takes characters for bytes when it goes on. */
    private static String line(int n) {
        return "line " + n + " of a file, \"quoted\", with a tab:\t.";
    }

    /** The lines of one part of the source. */
    private static void append(int part) throws Exception {
        List<String> lines = new ArrayList<>();
        for (int n = part * LINES; n < (part + 1) * LINES; n++) {
            lines.add(line(n));
        }
        Files.write(from, lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private static String ask(String method, String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(rest + path)).header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(90)).method(method, HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.body();
    }

    private static void make() throws Exception {
        for (Map.Entry<String, String> connector : Map.of("source", SOURCE.formatted(from), "sink", SINK.formatted(to)).entrySet()) {
            // 409 while the worker's group rebalances.
            await("made " + connector.getKey(), () -> ask("PUT", "/connectors/" + connector.getKey() + "/config", connector.getValue()), "20");
        }
        running();
    }

    private static void running() throws Exception {
        for (String connector : List.of("source", "sink")) {
            await("task of " + connector, () -> ask("GET", "/connectors/" + connector + "/status", ""), "\"id\":0,\"state\":\"RUNNING\"");
        }
    }

    private interface Answer {
        String get() throws Exception;
    }

    private static void await(String what, Answer answer, String wanted) throws Exception {
        long deadline = System.nanoTime() + 90_000_000_000L;
        for (String last = answer.get(); !last.contains(wanted); last = answer.get()) {
            Cases.check(what + ": " + last, System.nanoTime() < deadline);
            Thread.sleep(100);
        }
    }

    /** All lines of so many parts, once and in order. */
    private static void arrives(int parts) throws Exception {
        long deadline = System.nanoTime() + 90_000_000_000L;
        List<String> lines = List.of();
        while (lines.size() < parts * LINES) {
            Cases.check(lines.size() + " of " + parts * LINES + " lines came; " + ask("GET", "/connectors/source/status", "")
                + ask("GET", "/connectors/sink/status", ""), System.nanoTime() < deadline);
            Thread.sleep(100);
            if (Files.exists(to)) {
                String text = Files.readString(to);
                lines = text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
            }
        }
        for (int n = 0; n < lines.size(); n++) {
            Cases.equal("line " + n, line(n), lines.get(n));
        }
    }
}
