//! One HTTP exchange: read the request, wait where a fault says so, send what the model answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, request};
use axum::response::Response;
use futures_util::{StreamExt, stream};

use super::connection::Connection;
use super::route::Target;
use super::simulator::Simulator;
use crate::clock;
use crate::model::fault::Action;
use crate::model::fault_board::Bite;
use crate::model::{Answer, Delivery, Request};

/// The token form is some hundred bytes long, a thousand character ids some twelve thousand; more than this is neither.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Handles every path but the control routes.
pub async fn exchange(
    State(simulator): State<Arc<Simulator>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    http_request: HttpRequest,
) -> Response {
    let (head, body) = http_request.into_parts();
    // A body that is too long or breaks off is as good as none; the model refuses it in the service's words.
    let body = to_bytes(body, BODY_LIMIT_BYTES).await.unwrap_or_default();
    let request = read(&head, &body, &connection);

    let arrival = simulator.model().arrive(clock::now(), &request);
    let _in_flight = simulator.in_flight(request.call.route());
    match arrival.bite.as_ref().map(|bite| (bite.fault_id, &bite.action)) {
        Some((_, Action::Delay { milliseconds })) => tokio::time::sleep(Duration::from_millis(*milliseconds)).await,
        Some((fault_id, Action::Hold)) => simulator.wait_until_removed(fault_id).await,
        _ => {}
    }
    let answer = simulator.model().answer(clock::now(), &request, &arrival);
    if let Some(Bite { fault_id, action: Action::HoldAnswer }) = &arrival.bite {
        simulator.wait_until_removed(*fault_id).await;
    }

    if simulator.prints_exchanges() {
        let fault = arrival.bite.as_ref().map_or("", |bite| bite.action.name());
        eprintln!("{} {} {} {fault}", head.method, head.uri.path(), answer.status);
    }
    send(answer, &connection)
}

fn read(head: &request::Parts, body: &Bytes, connection: &Connection) -> Request {
    let text = |name: HeaderName| header_text(&head.headers, &name);
    let host = text(header::HOST).unwrap_or_else(|| "127.0.0.1".to_owned());
    let target = Target {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query(),
        base_url: format!("http://{host}"),
        content_type: text(header::CONTENT_TYPE),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    Request {
        source: connection.remote.ip(),
        user_agent: text(header::USER_AGENT).or_else(|| text(HeaderName::from_static("x-user-agent"))),
        authorization: text(header::AUTHORIZATION),
        if_none_match: text(header::IF_NONE_MATCH),
        compatibility_date: text(HeaderName::from_static("x-compatibility-date")),
        call: target.call(),
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn send(answer: Answer, connection: &Connection) -> Response {
    if answer.delivery == Delivery::Nothing {
        connection.cut();
        return Response::new(Body::empty());
    }
    let length_bytes = answer.body.len();
    let body = match answer.delivery {
        Delivery::CutInHalf => half_of(answer.body),
        Delivery::Whole | Delivery::Nothing => Body::from(answer.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        // Faults may name any header; those that HTTP refuses were turned away when the fault was written.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if answer.delivery == Delivery::CutInHalf {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length_bytes));
    }
    response
}

/// Half of a body, then an error, on which the connection is closed.
fn half_of(body: String) -> Body {
    let mut half = body.into_bytes();
    half.truncate(half.len() / 2);
    let first = stream::once(async move { Ok(Bytes::from(half)) });
    let then = stream::once(async {
        // The pause lets the HTTP library write out what it has before it sees the error.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(first.chain(then))
}
