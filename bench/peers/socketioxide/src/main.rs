//! socketioxide: every socket of the root namespace is in one room; `POST /publish` emits its body to all of them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::{SocketIo, TransportType};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .build_layer();
    io.ns("/", async |_: SocketRef| {});
    let app = axum::Router::new()
        .route("/publish", post(publish))
        .with_state(io)
        .layer(layer);
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        }),
        app,
    )
    .await?;
    Ok(())
}

async fn publish(State(io): State<SocketIo>, body: String) -> StatusCode {
    let Ok(data) = RawValue::from_string(body) else {
        return StatusCode::BAD_REQUEST;
    };
    match io.emit("task_update", &data).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
