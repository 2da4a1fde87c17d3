//! (skeleton)
use super::file::SharedFile;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
pub struct Listener;
impl Listener {
    pub fn bind(_address: SocketAddr) -> io::Result<Listener> {
        todo!()
    }
    pub async fn accept(&self) -> io::Result<Incoming> {
        todo!()
    }
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        todo!()
    }
}
pub struct Incoming;
impl Incoming {
    pub fn peer_address(&self) -> SocketAddr {
        todo!()
    }
    pub fn attach(self) -> io::Result<Connection> {
        todo!()
    }
}
#[derive(Clone)]
pub struct Connection;
impl Connection {
    pub async fn connect(_address: SocketAddr) -> io::Result<Connection> {
        todo!()
    }
    pub fn peer_address(&self) -> SocketAddr {
        todo!()
    }
    pub async fn read(&self, _buffer: &mut BytesMut, _limit: usize) -> io::Result<usize> {
        todo!()
    }
    pub async fn write_all(&self, _parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        todo!()
    }
    pub async fn send_file(&self, _file: &SharedFile, _offset: u64, _len: u64) -> io::Result<()> {
        todo!()
    }
    pub fn shutdown(&self) {
        todo!()
    }
}
