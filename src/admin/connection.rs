//! One admin connection: reads a request, routes it, answers, as long as the peer wants and keeps the time limits.

use super::http::{self, Method, Parsed, Request, Response, Status};
use super::metrics::{MetricsSnapshot, render};
use super::{Admin, MoveAsk, MoveRefusal};
use crate::config::limits;
use crate::rt::sync::oneshot;
use crate::rt::{Connection, Instant, Queue, now, spawn, timeout};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::rc::Rc;

/// Serves the connection until the peer closes it or breaks a limit.
pub(super) async fn serve<S, M>(admin: Rc<Admin<S, M>>, connection: Connection)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
    M: AsyncFn(MoveAsk) -> Result<String, MoveRefusal> + 'static,
{
    let mut buffer = BytesMut::new();
    loop {
        let deadline = now() + limits::ADMIN_IDLE_MAX;
        let (method, keep_alive, response) = match read_request(&connection, &mut buffer, deadline).await {
            Ok(request) => {
                let response = route(&admin, &request).await;
                (request.method, request.keep_alive, response)
            }
            Err(Some(status)) => (Method::Other, false, Response::of(status)),
            Err(None) => break,
        };
        if !write(&connection, response.into_parts(method, keep_alive).into()).await || !keep_alive {
            break;
        }
    }
    connection.shutdown();
}

/// The next request; `Err` with what to answer before closing, or with nothing where nobody listens any more.
async fn read_request(connection: &Connection, buffer: &mut BytesMut, deadline: Instant) -> Result<Request, Option<Status>> {
    loop {
        match http::parse(buffer) {
            Parsed::Complete { request, len } => {
                drop(buffer.split_to(len));
                return Ok(request);
            }
            Parsed::Refused(status) => return Err(Some(status)),
            Parsed::Incomplete => {}
        }
        let room = limits::ADMIN_REQUEST_HEAD_BYTES_MAX - buffer.len();
        match timeout(deadline - now(), connection.read(buffer, room)).await {
            Some(Ok(0) | Err(_)) => return Err(None),
            Some(Ok(_)) => {}
            None if buffer.is_empty() => return Err(None),
            None => return Err(Some(Status::RequestTimeout)),
        }
    }
}

async fn route<S, M>(admin: &Rc<Admin<S, M>>, request: &Request) -> Response
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
    M: AsyncFn(MoveAsk) -> Result<String, MoveRefusal> + 'static,
{
    const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
    if request.path == "/partitions/move" {
        return move_partition(admin, request).await;
    }
    let known = matches!(request.path.as_str(), "/metrics" | "/health/live" | "/health/ready");
    if !known {
        return Response::of(Status::NotFound);
    }
    if matches!(request.method, Method::Post | Method::Other) {
        return Response::of(Status::MethodNotAllowed);
    }
    // That this core answers is all that "live" means.
    if request.path == "/health/live" {
        return Response::text(Status::Ok, "live");
    }
    match ask_shards(admin).await {
        None => Response::text(Status::Unavailable, "a shard does not answer"),
        Some(_) if request.path == "/health/ready" => Response::text(Status::Ok, "ready"),
        Some(snapshots) => Response { status: Status::Ok, content_type: TEXT_FORMAT, body: render(snapshots) },
    }
}

async fn move_partition<S, M>(admin: &Admin<S, M>, request: &Request) -> Response
where
    M: AsyncFn(MoveAsk) -> Result<String, MoveRefusal>,
{
    if request.method != Method::Post {
        return Response::of(Status::PostOnly);
    }
    let Some(ask) = parse_move(&request.query) else {
        return Response::text(Status::BadRequest, "expected ?topic=NAME&partition=NUMBER&shard=NUMBER");
    };
    match (admin.moves)(ask).await {
        Ok(done) => Response::text(Status::Ok, &done),
        Err(MoveRefusal::Unknown(what)) => Response::text(Status::NotFound, what),
        Err(MoveRefusal::NotNow(why)) => Response::text(Status::Conflict, why),
    }
}

/// Topics' names need no escapes.
fn parse_move(query: &str) -> Option<MoveAsk> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Some(MoveAsk { topic: value("topic")?.to_string(), partition: value("partition")?.parse().ok()?, shard: value("shard")?.parse().ok()? })
}

/// Every shard's snapshot, or `None` if one does not answer in time. Rounds are bounded, so that they do not pile up behind a
/// shard that is stuck.
async fn ask_shards<S, M>(admin: &Rc<Admin<S, M>>) -> Option<Vec<MetricsSnapshot>>
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
    M: 'static,
{
    let round = admin.scrapes.try_acquire(1)?;
    let (sender, receiver) = oneshot();
    let scraper = Rc::clone(admin);
    // In a task of its own: a round that is over time is waited for no longer, but never cancelled half-way.
    spawn(Queue::Background, async move {
        let snapshots = (scraper.scrape)().await;
        drop(round);
        sender.send(snapshots);
    });
    timeout(limits::ADMIN_SCRAPE_MAX, receiver).await?.ok()
}

/// Sends an answer; false if it did not get there. A peer that does not read it in time is cut off.
async fn write(connection: &Connection, mut parts: VecDeque<bytes::Bytes>) -> bool {
    let (written, watched) = oneshot::<()>();
    let slow = connection.clone();
    spawn(Queue::Background, async move {
        if timeout(limits::ADMIN_WRITE_MAX, watched).await.is_none() {
            slow.shutdown();
        }
    });
    let result = connection.write_all(&mut parts).await;
    written.send(());
    result.is_ok()
}
