//! An in-memory DynamoDB server, which prints its address and runs until its standard input is closed.

use dynoxide::{Database, server};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let serve = tokio::spawn(server::serve_on(listener, Database::memory()?));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    serve.abort();
    Ok(())
}
