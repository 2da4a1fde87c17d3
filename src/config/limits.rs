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

/// A segment's index of aborted transactions, read whole: two million of them, where a segment of 1 GiB holds some hundred thousand at most.
pub const TXN_INDEX_BYTES_MAX: u64 = 64 << 20;

// ---- Apache Kafka's directories ------------------------------------------------------------------------------------------

/// A snapshot or a segment of Apache Kafka's metadata log, read whole when its directory is taken over: ten million partitions.
pub const KAFKA_METADATA_FILE_BYTES_MAX: u64 = 1 << 30;

/// Kafka's small files at the root of a log directory, read whole: checkpoints of three million partitions.
pub const KAFKA_CHECKPOINT_BYTES_MAX: u64 = 256 << 20;

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

// ---- connections and shards --------------------------------------------------------------------------------------------

/// The smallest request: key, version, correlation id and an absent client id.
pub const REQUEST_BYTES_MIN: i32 = 10;

/// Bytes read from a socket beyond what a request needs: several small requests come in one read, and an idle connection holds no more.
pub const READ_AHEAD_BYTES: usize = 16 << 10;

/// A request of this size or more is read into memory of its own, which a batch in it can keep: the memory that is kept beside the batch (headers,
/// names) is a percent at most. What is smaller is copied, and costs little.
pub const FRAME_OF_ITS_OWN_BYTES: usize = 8 << 10;

/// Produce requests of one connection that wait for the disk at once: clients pipeline 5, benchmarks up to 256.
pub const REQUESTS_IN_FLIGHT_PER_CONNECTION: usize = 256;

/// Responses collected into one send.
pub const SEND_BATCH_BYTES: usize = 256 << 10;

/// How many sixteenths of a shard's memory produce requests under way may hold, answers from memory, and all other requests; background work has
/// four (`log::MemoryBudget`). The three that are left are for tails, which must move on for the rest to be freed.
pub const PRODUCE_MEMORY_SIXTEENTHS: u64 = 6;
pub const RESPONSE_MEMORY_SIXTEENTHS: u64 = 2;
pub const RESERVE_MEMORY_SIXTEENTHS: u64 = 1;

/// Messages between two cores that may be under way one way; senders wait beyond it.
pub const MESH_MESSAGES_PER_PAIR: usize = 1024;

/// Record bytes checked before other tasks may run: a quarter of a millisecond of decompression.
pub const RECORD_BYTES_PER_STEP: usize = 128 << 10;

/// The longest a fetch waits whatever it asks for, so that a client that has gone is noticed. Clients ask for half a second.
pub const FETCH_WAIT_MAX: Duration = Duration::from_secs(300);

/// The shortest wait for the disk before REQUEST_TIMED_OUT: clients that say 0 or nonsense get an answer all the same.
pub const PRODUCE_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Kafka's `min.incremental.fetch.session.eviction.ms`: a session unused for this long may go when the cache is full.
pub const FETCH_SESSION_EVICTION_AGE: Duration = Duration::from_secs(120);

/// A connection that holds memory others wait for may take this long, and as long as its bytes need at the rate below.
pub const STALL_GRACE: Duration = Duration::from_secs(10);

/// The slowest rate at which held memory is expected to move while others wait for it: a poor mobile link.
pub const STALL_RATE_BYTES_PER_SECOND: u64 = 128 << 10;

/// How long requests under way may go on after the broker was told to stop; the whole stop takes at most 2 s.
pub const STOP_GRACE: Duration = Duration::from_millis(300);

/// Idle connections are looked for this often at most and at least.
pub const IDLE_SWEEP_MIN: Duration = Duration::from_millis(250);
pub const IDLE_SWEEP_MAX: Duration = Duration::from_secs(30);

// ---- moving partitions between cores -----------------------------------------------------------------------------------

/// How long requests that began before a move may keep it from beginning: longer means that something else is wrong, and the
/// partition's producers wait meanwhile.
pub const MOVE_FREEZE_MAX: Duration = Duration::from_millis(500);

/// How long the last of a tail may take to the disk while a partition's producers wait: it was synced just before.
pub const MOVE_DRAIN_MAX: Duration = Duration::from_secs(1);

/// Partitions that a shard proposes for a move, those with the most bytes: the one that levels two cores is among them, or none is
/// worth a move.
pub const BALANCE_CANDIDATES_MAX: usize = 64;

/// A partition that could not be opened for lack of space is tried again this often: space comes back when topics are deleted, at most within seconds.
pub const OPEN_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long the stop may take that follows the failure of the metadata's log directory: what works of it is quick, and a dead disk may hang for ever.
pub const FAILED_STOP_MAX: Duration = Duration::from_secs(5);

// ---- coordinators ------------------------------------------------------------------------------------------------------

/// How long a member's first JoinGroup may wait for the others before the member counts as gone: Kafka's own bound.
pub const GROUP_NEW_MEMBER_JOIN_MS_MAX: u64 = 5 * 60 * 1000;

/// Members of one classic group, whatever `group.max.size` says: the leader is sent them all, and its assignment of them is one record.
pub const GROUP_MEMBERS_MAX: usize = 20_000;

/// A consumer's regular expression, and what it may take compiled: what it costs to look at a byte of a name grows with it.
pub const REGEX_LEN_MAX: usize = 16 << 10;
pub const REGEX_BYTES_MAX: usize = 256 << 10;

/// Bytes of topics' names that one turn of the core holds against a consumer's regular expression (all of 100 topics: 0.1 ms by a usual one, 60 ms by the
/// worst that fits), and how many of them a compilation counts for.
pub const REGEX_NAME_BYTES_PER_TURN: usize = 4 << 10;
pub const REGEX_COMPILATION_COST: usize = 1 << 10;

/// Between two times that a group's regular expressions are held against the cluster's topics: Kafka's own.
pub const REGEX_INTERVAL_MIN_MS: u64 = 10_000;

/// Topics of a regular expression that are written by themselves, far below what one write may have.
pub const REGEX_WRITE_BYTES: usize = 4 << 20;

/// Groups with configurations of their own: anybody may make them up, and the cluster's metadata keeps them.
pub const CONFIGURED_GROUPS_MAX: usize = 10_000;

/// Members of one consumer group: a member that joins has the assignment of all made anew, in one turn of the core.
pub const CONSUMER_GROUP_MEMBERS_MAX: usize = 2_000;

/// Ids that one group has given to members who have not joined with them: clients ask for as many as they like, and each stays for a session.
pub const GROUP_PENDING_JOINS_MAX: usize = 20_000;

/// Groups in one partition of `__consumer_offsets`: a look for expired offsets goes over all of them in one turn of the core.
pub const GROUPS_PER_PARTITION_MAX: usize = 20_000;

/// Memory that must be free before a group is made.
pub const GROUP_BYTES_MIN: u64 = 4 << 10;

/// A coordinator's state may take this many sixteenths of a shard's `ringmill.memory.bytes`, beside them.
pub const COORDINATOR_MEMORY_SIXTEENTHS: u64 = 2;

/// Records of a coordinator that go into one batch, if they are several.
pub const COORDINATOR_BATCH_BYTES: usize = 512 << 10;

/// The largest write of a coordinator, and so the largest assignment of a group: many times what clients of thousands of partitions need, less than
/// the smallest sensible segment.
pub const COORDINATOR_WRITE_BYTES_MAX: usize = 32 << 20;

// ---- transactions --------------------------------------------------------------------------------------------------------

/// Transactional ids of one partition of `__transaction_state`: each takes some hundred bytes until it expires, and anybody may make them up.
pub const TRANSACTIONAL_IDS_PER_PARTITION_MAX: usize = 100_000;

/// Partitions in one transaction: its record names all of them each time one is added, and must fit a batch.
pub const PARTITIONS_PER_TRANSACTION_MAX: usize = 20_000;

/// Transactions whose markers a coordinator hands out in one turn of its core.
pub const TRANSACTIONS_MARKED_AT_ONCE: usize = 64;

/// Wait before markers that a partition did not take are sent again.
pub const MARKER_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Bytes of a marker's batch, and more.
pub const MARKER_BYTES: usize = 128;

/// Producers of a shard's partitions that were let in, or asked to be, and have not ended a transaction since: anybody may make up producers, each takes
/// some hundred bytes. Whoever is forgotten is refused with INVALID_TXN_STATE if it had no record in the partition yet.
pub const ADMISSIONS_PER_SHARD_MAX: usize = 100_000;

/// How long a produce request waits for the markers of the transaction before, and between two looks (Kafka's `add.partitions.to.txn.retry.*`).
pub const ADMISSION_RETRY_MAX: Duration = Duration::from_millis(100);
pub const ADMISSION_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Memory that a compiled regular expression of a client may take.
pub const PATTERN_BYTES_MAX: usize = 1 << 20;
