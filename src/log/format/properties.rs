//! The small files that name things: `meta.properties`, `partition.metadata`, `.kafka_cleanshutdown`.

use crate::types::{NodeId, TopicId};
use std::fmt;

pub const META_PROPERTIES: &str = "meta.properties";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// Whose log directory this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: NodeId,
    /// `None` where Kafka before 3.7 wrote the file. Shown like a topic id.
    pub directory_id: Option<TopicId>,
}

/// A file that cannot be read: what is wrong with which key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PropertiesError(pub String);

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PropertiesError {}

fn error(what: impl Into<String>) -> PropertiesError {
    PropertiesError(what.into())
}

impl MetaProperties {
    /// The file's content, version 1.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = java_properties::PropertiesWriter::new(&mut bytes);
        let node_id = self.node_id.to_string();
        let directory_id = self.directory_id.map(|id| id.to_string());
        let pairs = [("node.id", Some(&node_id)), ("directory.id", directory_id.as_ref()), ("cluster.id", Some(&self.cluster_id))];
        for (key, value) in pairs {
            if let Some(value) = value {
                writer.write(key, value).expect("writing into memory cannot fail");
            }
        }
        writer.write("version", "1").and_then(|()| writer.finish()).expect("writing into memory cannot fail");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<MetaProperties, PropertiesError> {
        let mut version = None;
        let mut cluster_id = None;
        let mut node_id = None;
        let mut directory_id = None;
        for line in java_properties::PropertiesIter::new(bytes) {
            let line = line.map_err(|cause| error(format!("{META_PROPERTIES}: {cause}")))?;
            let java_properties::LineContent::KVPair(key, value) = line.consume_content() else { continue };
            match key.as_str() {
                "version" => version = Some(value),
                "cluster.id" => cluster_id = Some(value),
                "node.id" => node_id = Some(value),
                "directory.id" => directory_id = Some(value),
                _ => {}
            }
        }
        if version.as_deref() != Some("1") {
            return Err(error(format!("{META_PROPERTIES}: version {} instead of 1", version.as_deref().unwrap_or("missing"))));
        }
        let node_id = node_id.ok_or_else(|| error(format!("{META_PROPERTIES}: no node.id")))?;
        let node_id = node_id.parse().map_err(|_| error(format!("{META_PROPERTIES}: node.id {node_id:?}")))?;
        let cluster_id = cluster_id.ok_or_else(|| error(format!("{META_PROPERTIES}: no cluster.id")))?;
        let parse_directory = |id: String| TopicId::parse(&id).ok_or_else(|| error(format!("{META_PROPERTIES}: directory.id {id:?}")));
        let directory_id = directory_id.map(parse_directory).transpose()?;
        Ok(MetaProperties { cluster_id, node_id: NodeId(node_id), directory_id })
    }
}

/// The content of `partition.metadata`.
pub fn encode_partition_metadata(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Whose partition a directory holds.
pub fn decode_partition_metadata(bytes: &[u8]) -> Result<TopicId, PropertiesError> {
    let malformed = || error(format!("{PARTITION_METADATA}: not `version: 0` and a topic id"));
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let mut lines = text.lines();
    if lines.next() != Some("version: 0") {
        return Err(malformed());
    }
    let id = lines.next().and_then(|line| line.strip_prefix("topic_id: ")).and_then(TopicId::parse);
    id.filter(|id| *id != TopicId::ZERO).ok_or_else(malformed)
}

/// The content of `.kafka_cleanshutdown`, which a clean stop leaves and the next start removes.
pub fn encode_clean_shutdown(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The broker epoch in it; `None` if it has none, as Kafka before 3.8 wrote. That the file exists is what matters.
pub fn decode_clean_shutdown(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("\"brokerEpoch\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find(['}', ',', ' ', '\n', '\r', '\t'])?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_properties_are_read_as_kafka_writes_them() {
        let file = b"#\n#Sun Nov 22 13:10:18 UTC 2026\nnode.id=1\ndirectory.id=rzEtg9lKdEd0szq7_XuSbA\nversion=1\ncluster.id=8yckYEw9h3q6LZ2mktH4gQ\n";
        let read = MetaProperties::decode(file).unwrap();
        assert_eq!((read.cluster_id.as_str(), read.node_id), ("8yckYEw9h3q6LZ2mktH4gQ", NodeId(1)));
        assert_eq!(read.directory_id.unwrap().to_string(), "rzEtg9lKdEd0szq7_XuSbA");
        assert_eq!(MetaProperties::decode(&read.encode()), Ok(read));
    }

    #[test]
    fn odd_cluster_ids_survive() {
        let odd = MetaProperties { cluster_id: "my = cluster: #1".to_owned(), node_id: NodeId(7), directory_id: None };
        assert_eq!(MetaProperties::decode(&odd.encode()), Ok(odd));
    }

    #[test]
    fn what_is_wrong_with_meta_properties_is_named() {
        let reason = |file: &str| MetaProperties::decode(file.as_bytes()).unwrap_err().0;
        assert!(reason("").contains("version missing"));
        assert!(reason("version=0\nbroker.id=1\n").contains("version 0"));
        assert!(reason("version=1\ncluster.id=x\n").contains("node.id"));
        assert!(reason("version=1\nnode.id=x\ncluster.id=x\n").contains("node.id"));
        assert!(reason("version=1\nnode.id=1\n").contains("cluster.id"));
        assert!(reason("version=1\nnode.id=1\ncluster.id=x\ndirectory.id=short\n").contains("directory.id"));
    }

    #[test]
    fn partition_metadata_is_kafkas() {
        let id = TopicId::parse("ly56PAqzSZSXICDEZIuXvA").unwrap();
        let text = encode_partition_metadata(id);
        assert_eq!(text, "version: 0\ntopic_id: ly56PAqzSZSXICDEZIuXvA");
        assert_eq!(decode_partition_metadata(text.as_bytes()), Ok(id));
        assert!((0..text.len()).all(|cut| decode_partition_metadata(&text.as_bytes()[..cut]).is_err()));
        assert!(decode_partition_metadata(b"version: 1\ntopic_id: ly56PAqzSZSXICDEZIuXvA").is_err());
        assert!(decode_partition_metadata(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA").is_err());
    }

    #[test]
    fn clean_shutdown_is_kafkas() {
        assert_eq!(encode_clean_shutdown(12), r#"{"version":0,"brokerEpoch":12}"#);
        assert_eq!(decode_clean_shutdown(br#"{"version":0,"brokerEpoch":12}"#), Some(12));
        assert_eq!(decode_clean_shutdown(br#"{ "brokerEpoch" : -1, "later" : 5 }"#), Some(-1));
        for other in [&b""[..], b"{}", b"{\"version\":0,\"brokerEpoch\":1", b"{\"brokerEpoch\":null}", &[0xff]] {
            assert_eq!(decode_clean_shutdown(other), None);
        }
    }
}
