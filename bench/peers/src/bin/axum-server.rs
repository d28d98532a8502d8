//! `axum-server PORT`: axum on a tokio runtime of one thread.

use axum::{Router, http::header, response::IntoResponse, routing::get, serve::ListenerExt};
use tokio::net::TcpListener;

async fn status() -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        r#"{"status":"pending"}"#,
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let app = Router::new().route("/status", get(status));
    let listener = TcpListener::bind(("127.0.0.1", peers::port()))
        .await
        .expect("a free port");
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    peers::ready();
    axum::serve(listener, app).await.expect("a server");
}
