//! Loads by name: each is the flags of `load` that it begins with; flags given later win.

/// Name, flags, what it is.
pub const PRESETS: [(&str, &str, &str); 4] = [
    ("produce", "", "Throughput, closed loop: each connection keeps so many requests in flight"),
    (
        "latency",
        "--topic latency --partitions 10 --producers 10 --rate 2000 --batch-bytes 0 --record-bytes 1024 --seconds 6",
        "Ack latency at a fixed rate, open loop, from when each request was due (no coordinated omission)",
    ),
    (
        "consume",
        "--topic consume --producers 0 --consumers 4 --from start --fill-mib 512 --topic-config flush.messages=9223372036854775807",
        "Fills a topic, acknowledged from memory, then reads it from its start, over and over, as fast as it comes",
    ),
    (
        "end-to-end",
        "--topic end-to-end --partitions 10 --producers 4 --consumers 2 --rate 1000 --batch-bytes 0 --record-bytes 1024 --seconds 6",
        "From when each record was due to be produced to its receipt by a consumer",
    ),
];

/// The command line with a preset's name in the place of `load` and its flags.
pub fn expand(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut arguments: Vec<String> = arguments.collect();
    if let Some((_, flags, _)) = PRESETS.iter().find(|(name, ..)| arguments.get(1).is_some_and(|given| given == name)) {
        // The connections of what only consumes are its consumers.
        let connections = if flags.contains("--producers 0") { "--consumers" } else { "--producers" };
        arguments.iter_mut().filter(|word| *word == "--connections").for_each(|word| *word = connections.into());
        arguments.splice(1..2, std::iter::once("load").chain(flags.split_whitespace()).map(str::to_owned));
    }
    arguments
}

/// For `--help`.
pub fn help() -> String {
    let line = |(name, flags, what): &(&str, &str, &str)| format!("  {name:<10} {what}:\n             load {flags}\n");
    format!("Presets, to be given in place of `load`; any of its flags may follow:\n{}", PRESETS.iter().map(line).collect::<String>())
}
