//! One admin connection: reads a request, routes it, answers, as long as the peer wants and keeps the time limits.

use super::Admin;
use super::http::{self, Method, Parsed, Request, Response, Status};
use super::metrics::{MetricsSnapshot, render};
use crate::config::limits;
use crate::rt::sync::oneshot;
use crate::rt::{Connection, Instant, Queue, now, spawn, timeout};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::rc::Rc;

/// Serves the connection until the peer closes it or breaks a limit.
pub(super) async fn serve<S>(admin: Rc<Admin<S>>, connection: Connection)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
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

async fn route<S>(admin: &Rc<Admin<S>>, request: &Request) -> Response
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
{
    const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let known = matches!(request.path.as_str(), "/metrics" | "/health/live" | "/health/ready");
    if !known {
        return Response::of(Status::NotFound);
    }
    if request.method == Method::Other {
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

/// Every shard's snapshot, or `None` if one does not answer in time. Rounds are bounded, so that they do not pile up behind a
/// shard that is stuck.
async fn ask_shards<S>(admin: &Rc<Admin<S>>) -> Option<Vec<MetricsSnapshot>>
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
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
