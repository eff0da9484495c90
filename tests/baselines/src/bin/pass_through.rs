//! A proxy without any policy: what warm requests are compared with. It sends each request on to `BACKEND_URL`.
#![allow(clippy::disallowed_methods, reason = "it has no settings but this variable")]

use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let backend = std::env::var("BACKEND_URL")?;
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let (client, backend) = (&client, &*backend);
    run(service_fn(|request: Request| pass(client, backend, request))).await
}

async fn pass(client: &reqwest::Client, backend: &str, request: Request) -> Result<Response<Body>, Error> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{backend}{}{query}", request.raw_http_path());
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove("host");
    headers.remove("content-length");
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    let answer = client.request(parts.method, url).headers(headers).body(body).send().await?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(answer.bytes().await?.to_vec()))?)
}
