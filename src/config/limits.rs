//! Every bound on what a peer can make this process do, with its reason. Pure numbers; configuration may lower some of them.

use std::time::Duration;

/// Bytes that a compressed batch's records may expand to. No client can send more uncompressed, since that is the default of
/// `socket.request.max.bytes`; zstd can pack a hundred times as much into one batch, which would hold a core for seconds.
pub const BATCH_EXPANDED_SIZE_MAX: usize = 100 << 20;

/// Window of a zstd frame, as a power of two: what zstd's own decoders accept at most by default (128 MiB).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Faulty records that a produce response lists for one batch: each is a message of about 100 bytes for a record of perhaps 7.
pub const RECORD_ERRORS_MAX: usize = 1_000;

/// Producer ids that one partition remembers: about 300 bytes each. Clients choose ids freely; beyond this the one that wrote longest ago
/// is forgotten, which costs it the recognition of duplicates.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 50_000;

// ---- messages ----------------------------------------------------------------------------------------------------------

/// Memory that one message's arrays may take, for each byte of the message. Real messages stay below 3; a hostile one of
/// empty structs would reach 40.
pub const DECODED_SIZE_FACTOR_MAX: usize = 4;

/// Memory in bytes that any message's arrays may take, however short it is: small messages of many small structs are honest.
pub const DECODED_SIZE_FLOOR: usize = 16 << 20;

/// Bytes that an array may allocate on its count's word alone, beyond what remains of the message.
pub const DECODED_ARRAY_SIZE_EAGER: usize = 16 << 10;

// ---- admin HTTP --------------------------------------------------------------------------------------------------------

/// Request line and headers together: a scrape or a probe is a few hundred bytes, browsers' cookies stay below 8 KiB.
pub const ADMIN_REQUEST_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Headers of one request: browsers send about 20.
pub const ADMIN_REQUEST_HEADERS_MAX: usize = 64;

/// Connections at once: scrapers and probes need a handful; each costs at most a head and a rendered answer.
pub const ADMIN_CONNECTIONS_MAX: u64 = 64;

/// Without a complete request for this long, a connection is closed: longer than the usual scrape interval of 15 s.
pub const ADMIN_IDLE_MAX: Duration = Duration::from_secs(60);

/// A peer that takes longer than this to read its answer is cut off, so that it does not hold one of the few connections.
pub const ADMIN_WRITE_MAX: Duration = Duration::from_secs(10);

// ---- cluster metadata --------------------------------------------------------------------------------------------------

/// New partitions of one CreateTopics or CreatePartitions request: Kafka's own bound; a turn of the controller stays in milliseconds.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// Bytes of a configuration's name or value: Kafka's own bound.
pub const CONFIG_VALUE_BYTES_MAX: usize = 32_767;

/// Configurations set on one resource. Brokers may be given keys nobody knows, and each stays in every image; Kafka itself
/// knows some 400.
pub const CONFIGS_PER_RESOURCE_MAX: usize = 1000;

/// Shards that have not all answered a scrape by then count as stuck: a probe that waits longer is no use.
pub const ADMIN_SCRAPE_MAX: Duration = Duration::from_secs(2);

/// Scrapes under way at once: each copies every shard's counters.
pub const ADMIN_SCRAPES_MAX: u64 = 8;

/// Wait after a failed accept (descriptors are short): long enough not to spin.
pub const ADMIN_ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Topics with series of their own on one shard: each takes 7 lines of a scrape; the rest count in the sums alone.
pub const METRICS_TOPICS_MAX: usize = 1_000;
