//! `actix-server PORT`: actix-web with one worker.

use actix_web::{App, HttpResponse, HttpServer, get, http::header, rt};

#[get("/status")]
async fn status() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(r#"{"status":"pending"}"#)
}

fn main() -> std::io::Result<()> {
    rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().service(status))
            .workers(1)
            .backlog(4_096)
            .bind(("127.0.0.1", peers::port()))?;
        peers::ready();
        server.run().await
    })
}
