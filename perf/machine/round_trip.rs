//! An empty round trip over loopback: 64 bytes there and back, between two threads that block, and between two cores of the broker's runtime.

use super::{MachineLimits, quantile};
use crate::Result;
use bytes::{Bytes, BytesMut};
use ringmill::rt::task::LocalFuture;
use ringmill::rt::{Connection, CoreSpec, Listener, uring};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const SIZE: usize = 64;

pub fn measure(each: Duration, limits: &mut MachineLimits) -> Result<()> {
    blocking(each, limits)?;
    by_io_uring(each, limits)
}

fn blocking(each: Duration, limits: &mut MachineLimits) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let echo = thread::spawn(move || echo(&listener));
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (start, mut samples, mut buffer) = (Instant::now(), Vec::new(), [0; SIZE]);
    while start.elapsed() < each {
        let sent = Instant::now();
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
        samples.push(sent.elapsed());
    }
    drop(stream);
    echo.join().expect("it does not panic")?;
    limits.note("loopback round trip p50, us", quantile(&mut samples, 0.5).as_secs_f64() * 1e6);
    limits.note("loopback round trip p99, us", quantile(&mut samples, 0.99).as_secs_f64() * 1e6);
    Ok(())
}

fn echo(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; SIZE];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

fn by_io_uring(each: Duration, limits: &mut MachineLimits) -> Result<()> {
    let (to_asker, address) = flume::bounded(1);
    let (to_caller, answered) = flume::bounded(1);
    let core = |name: &str, main: Box<dyn FnOnce() -> LocalFuture<()> + Send>| CoreSpec { name: name.to_owned(), cpu: None, main };
    let echo = core("echo", Box::new(move || Box::pin(echo_on_core(to_asker))));
    let ask = core(
        "ask",
        Box::new(move || {
            Box::pin(async move {
                let address = address.recv_async().await.expect("the other core listens");
                let _ = to_caller.send(ask_on_core(address, each).await);
            })
        }),
    );
    uring::run(vec![echo, ask])?.join();
    let mut samples = answered.recv()??;
    limits.note("the same by io_uring p50, us", quantile(&mut samples, 0.5).as_secs_f64() * 1e6);
    limits.note("the same by io_uring p99, us", quantile(&mut samples, 0.99).as_secs_f64() * 1e6);
    Ok(())
}

async fn echo_on_core(address: flume::Sender<std::net::SocketAddr>) {
    let listener = Listener::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    address.send(listener.local_address().expect("it is bound")).expect("the other core waits");
    let connection = listener.accept().await.and_then(ringmill::rt::Incoming::attach).expect("a connection");
    let mut buffer = BytesMut::with_capacity(SIZE);
    while connection.read(&mut buffer, SIZE).await.is_ok_and(|count| count > 0) {
        let answer = Bytes::copy_from_slice(&buffer);
        buffer.clear();
        if connection.write_all(&mut [answer].into()).await.is_err() {
            return;
        }
    }
}

async fn ask_on_core(address: std::net::SocketAddr, each: Duration) -> io::Result<Vec<Duration>> {
    let connection = Connection::connect(address).await?;
    let (start, mut samples, mut buffer) = (Instant::now(), Vec::new(), BytesMut::with_capacity(SIZE));
    let question = Bytes::from_static(&[0; SIZE]);
    while start.elapsed() < each {
        let sent = Instant::now();
        connection.write_all(&mut [question.clone()].into()).await?;
        while buffer.len() < SIZE {
            if connection.read(&mut buffer, SIZE).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        buffer.clear();
        samples.push(sent.elapsed());
    }
    connection.shutdown();
    Ok(samples)
}
