//! What a load is made of: the flags of `ringmill-perf load`, which the presets and the scenarios of `perf/compare` are written in, too.

use crate::Result;
use clap::{Parser, ValueEnum};
use ringmill::wire::records::Codec;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// The broker under load.
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Target {
    /// Its address, as clients' `bootstrap.servers`. Leaders are asked for, so that any cluster does.
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub broker: String,
    /// Its process, if it runs here: what it used is measured.
    #[arg(long)]
    pub pid: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecName {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl CodecName {
    pub fn codec(self) -> Codec {
        match self {
            CodecName::None => Codec::None,
            CodecName::Gzip => Codec::Gzip,
            CodecName::Snappy => Codec::Snappy,
            CodecName::Lz4 => Codec::Lz4,
            CodecName::Zstd => Codec::Zstd,
        }
    }
}

/// What values are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Values {
    /// Random bytes: nothing can compress them.
    Random,
    /// Random words out of 256: codecs make about a third of them, as of much text.
    Words,
}

#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Load {
    #[command(flatten)]
    #[serde(flatten)]
    pub target: Target,
    /// Created if there is none of this name.
    #[arg(long, default_value = "perf")]
    pub topic: String,
    #[arg(long, default_value_t = 16)]
    pub partitions: usize,
    /// KEY=VALUE of the topic, when it is created.
    #[arg(long, value_parser = key_value)]
    pub topic_config: Vec<(String, String)>,
    #[arg(long, default_value_t = 1.0)]
    pub warmup_seconds: f64,
    /// How long is measured; with --pairs: each window.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// How long after the last request's time answers are waited for.
    #[arg(long, default_value_t = 5.0)]
    pub grace_seconds: f64,
    /// Threads of the producers, and as many of the consumers; each serves its share of the connections.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Where to write result.json, latency.hgrm, latency.hlog and plots.
    #[arg(long)]
    pub out: Option<PathBuf>,

    /// Connections that produce, each by itself.
    #[arg(long, alias = "connections", default_value_t = 8, help_heading = "Producers")]
    pub producers: usize,
    /// Open loop: requests a second over all connections, due at fixed times whether or not those before were answered; latency counts
    /// from when a request was due. Without it: closed loop.
    #[arg(long, help_heading = "Producers")]
    pub rate: Option<f64>,
    /// Closed loop: requests of one connection that are under way at once.
    #[arg(long, default_value_t = 5, help_heading = "Producers")]
    pub in_flight: usize,
    /// Each connection produces to its share of the partitions, not to all of them.
    #[arg(long, help_heading = "Producers")]
    pub shared: bool,
    /// Batches of a request, each for another partition.
    #[arg(long, default_value_t = 1, help_heading = "Producers")]
    pub batches: usize,
    /// Records are added while a batch stays within this size before compression; there is always one.
    #[arg(long, default_value_t = 16 << 10, help_heading = "Producers")]
    pub batch_bytes: usize,
    /// Of a record's value.
    #[arg(long, default_value_t = 1000, help_heading = "Producers")]
    pub record_bytes: usize,
    /// Records carry random keys of this size; without it none.
    #[arg(long, help_heading = "Producers")]
    pub key_bytes: Option<usize>,
    #[arg(long, value_enum, default_value_t = CodecName::None, help_heading = "Producers")]
    pub codec: CodecName,
    /// Random without compression, words with it, unless said.
    #[arg(long, value_enum, help_heading = "Producers")]
    pub values: Option<Values>,
    /// -1 (all), 1 or 0.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(-1..=1), help_heading = "Producers")]
    pub acks: i16,
    /// Each connection takes a producer id and numbers its batches.
    #[arg(long, help_heading = "Producers")]
    pub idempotent: bool,

    /// Connections that consume the topic, each its share of the partitions.
    #[arg(long, default_value_t = 0, help_heading = "Consumers")]
    pub consumers: usize,
    /// Read from offset 0 on and again from there at the end, or from the end on: then the time from when a batch was due to be produced to
    /// its receipt is measured, which its first record carries.
    #[arg(long, value_enum, default_value_t = From::End, help_heading = "Consumers")]
    pub from: From,
    /// From offset 0 to the end once; what is measured ends there.
    #[arg(long, help_heading = "Consumers")]
    pub once: bool,
    /// Produced to the topic before the clock starts.
    #[arg(long, default_value_t = 0, help_heading = "Consumers")]
    pub fill_mib: u64,
    /// As consumers' `max.partition.fetch.bytes`.
    #[arg(long, default_value_t = 1 << 20, help_heading = "Consumers")]
    pub partition_bytes: i32,
    /// As consumers' `fetch.max.bytes`.
    #[arg(long, default_value_t = 50 << 20, help_heading = "Consumers")]
    pub fetch_bytes: i32,

    /// Connections that read another topic, `cold`, at full speed while the others are at work.
    #[arg(long, default_value_t = 0, help_heading = "Readers that catch up beside the load")]
    pub catch_up: usize,
    /// Size of that topic, on four partitions.
    #[arg(long, default_value_t = 1024, help_heading = "Readers that catch up beside the load")]
    pub cold_mib: u64,
    /// The broker's log directory, if it is on this machine: the cold topic is put out of the page cache before it is read, each time.
    #[arg(long, help_heading = "Readers that catch up beside the load")]
    pub data: Option<PathBuf>,
    /// So many pairs of windows, one without and one with those readers, instead of one window with them.
    #[arg(long, default_value_t = 0, help_heading = "Readers that catch up beside the load")]
    pub pairs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    Start,
    End,
}

/// A load by itself.
#[derive(clap::Parser)]
#[command(args_override_self = true)]
struct Alone {
    #[command(flatten)]
    load: Load,
}

impl Load {
    /// A load of these flags; later ones win.
    pub fn from_flags(flags: impl IntoIterator<Item = String>) -> Result<Load> {
        Ok(Alone::try_parse_from(std::iter::once("load".to_owned()).chain(flags))?.load)
    }

    /// What a broker is loaded with if nothing is said.
    pub fn of(address: &str) -> Result<Load> {
        Load::from_flags(["--broker", address].map(str::to_owned))
    }

    /// None for what happens once.
    pub fn warmup(&self) -> Duration {
        if self.once { Duration::ZERO } else { Duration::from_secs_f64(self.warmup_seconds) }
    }

    /// Whether batches carry the time at which they were due.
    pub fn is_stamped(&self) -> bool {
        self.producers > 0 && self.consumers > 0 && self.from == From::End
    }

    pub fn values(&self) -> Values {
        self.values.unwrap_or(if self.codec == CodecName::None { Values::Random } else { Values::Words })
    }

    /// What cannot be done as asked.
    pub fn check(&self) -> Result<()> {
        let wrong = if self.producers + self.consumers == 0 {
            "neither producers nor consumers"
        } else if self.partitions == 0 || self.batches == 0 || self.threads == 0 || self.in_flight == 0 {
            "none of something that must be there at least once"
        } else if self.is_stamped() && (self.codec != CodecName::None || self.record_bytes < 8) {
            "end to end needs uncompressed records of 8 bytes at least, which carry the time"
        } else if self.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite()))
            || !(self.seconds > 0.0 && self.warmup_seconds >= 0.0 && self.grace_seconds >= 0.0)
        {
            "rate and seconds are above 0"
        } else if self.idempotent && self.acks != -1 {
            "idempotent producers want all acks"
        } else if self.once && (self.from == From::End || self.producers > 0) {
            "--once is for consumers alone, --from start"
        } else if self.pairs > 0 && self.catch_up == 0 {
            "--pairs is for --catch-up"
        } else {
            return Ok(());
        };
        Err(wrong.into())
    }
}

pub fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.to_owned(), value.to_owned()))
}
