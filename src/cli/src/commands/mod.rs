//! The command line: one file a command. All of them but `init`, `serve`, `demo` and the like are clients
//! of the same routes, whether a server runs, or the command opens the directory itself.

mod access;
mod anchor;
mod append;
mod backup;
mod bundle;
mod certificate;
mod client;
mod config;
mod confirm;
mod demo;
mod doctor;
mod export;
mod failure;
mod figures;
mod help;
mod hold;
mod index;
mod init;
mod key;
mod offline;
mod out_file;
mod output;
mod policy;
mod prices;
mod privacy;
mod prompt;
mod query;
mod read;
mod restore;
mod retention;
mod serve;
mod settings;
mod sources;
mod table;
mod tenant;
mod vault;
mod vault_copy;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, FromArgMatches, Parser, Subcommand};

use self::failure::{report, report_usage};
use trailkeep_core::clock::SystemClock;
use trailkeep_core::event_loop_threads;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_proof::time::Clock;
use trailkeep_verify::exit::Exit;

/// How long work in the background may go on after a command has ended.
const READERS_END_WITHIN: Duration = Duration::from_secs(1);

/// Append-only, hash-chained, encrypted audit trail with retention and verifiable deletion.
#[derive(Parser)]
#[command(
    name = "trailkeep",
    version,
    max_term_width = 100,
    after_help = format!("\
Try it:  trailkeep demo
Start:   trailkeep init --dir ./trailkeep-data && trailkeep serve --dir ./trailkeep-data

{}", Exit::help())
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a data directory, its first ledger and its first API token
    Init(init::InitArgs),
    /// Serve the HTTP API
    Serve(serve::ServeArgs),
    /// Settings of `serve`: check a file, show the settings in force
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Append events from a file or standard input
    Append(append::AppendArgs),
    /// Show one event
    Show(read::ShowArgs),
    /// List events
    Query(Box<query::QueryArgs>),
    /// Print the ledger's signed checkpoint
    Checkpoint(read::CheckpointArgs),
    /// Public key of the ledger, API keys, vault rotation
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Retention policies: check, list, show, explain
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Figures of calls: cost, tokens, errors, latency
    Figures(Box<figures::FiguresArgs>),
    /// Price tables of model calls: check, compare, import, set
    #[command(subcommand)]
    Prices(prices::PricesCommand),
    /// Prompt registry: versions, labels, experiments, rollback
    #[command(subcommand)]
    Prompt(prompt::PromptCommand),
    /// Legal holds: place, list, release
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Retention: preview, run and explain deletions
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Read audit: who read, exported and managed what
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Tenants: each has its own ledger and keys
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Back up ledgers and vault while the server runs; incremental when repeated
    Backup(backup::BackupArgs),
    /// Restore a data directory from a backup and the newest vault replica
    Restore(restore::RestoreArgs),
    /// Vault rows: commit to rows that no statement covers
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Vault replicas on other disks or hosts; without one, losing the vault loses every payload
    VaultReplica(vault_copy::VaultReplicaArgs),
    /// The old name of `vault-replica`
    #[command(hide = true)]
    VaultCopy(vault_copy::VaultReplicaArgs),
    /// Anchors and witnesses: checkpoints kept and cosigned elsewhere
    #[command(subcommand)]
    Anchor(anchor::AnchorCommand),
    /// Data subject requests: access, portability, erasure, restriction, due dates
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    /// Verify certificates of answered data subject requests
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// Receipts: prove that an event is in the ledger, verify such proofs
    #[command(subcommand)]
    Receipt(offline::ReceiptCommand),
    /// Export a signed bundle that can be verified offline
    Export(export::ExportArgs),
    /// Verify or show a bundle
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Verify the whole ledger: chain, tree, signatures, every payload, every index row
    Verify(verify::VerifyArgs),
    /// Detect gaps in producer sequence numbers
    Sources(sources::SourcesArgs),
    /// Look-up index: rebuild
    #[command(subcommand)]
    Index(index::IndexCommand),
    /// Find what an operator should fix: keys, replicas, backup, clock, disk, policies, certificate
    Doctor(doctor::DoctorArgs),
    /// Demonstrate the product on generated events
    Demo(demo::DemoArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:  trailkeep completions bash > /etc/bash_completion.d/trailkeep"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages of all commands
    Man(help::ManArgs),
}

/// Where the data directory and its root key are.
#[derive(Args, Clone, Debug)]
struct DirectoryArgs {
    /// Data directory
    #[arg(
        long,
        env = "TRAILKEEP_DIR",
        default_value = "./trailkeep-data",
        value_name = "DIR"
    )]
    dir: PathBuf,
    /// File with the root key [default: DIR/root.key]
    #[arg(long, env = "TRAILKEEP_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// Command that prints the root key, such as a KMS client
    #[arg(
        long,
        env = "TRAILKEEP_ROOT_KEY_COMMAND",
        value_name = "COMMAND",
        conflicts_with = "root_key_file"
    )]
    root_key_command: Option<String>,
}

impl DirectoryArgs {
    fn directory(&self) -> DataDirectory {
        DataDirectory::new(&self.dir)
    }

    /// The root key's source: a file or command that is named, else `TRAILKEEP_ROOT_KEY`, else `root.key`.
    fn root_key(&self) -> RootKeySource {
        if let Some(path) = &self.root_key_file {
            RootKeySource::File(path.clone())
        } else if let Some(command) = &self.root_key_command {
            RootKeySource::Command(command.clone())
        } else if std::env::var_os("TRAILKEEP_ROOT_KEY").is_some() {
            RootKeySource::Environment("TRAILKEEP_ROOT_KEY")
        } else {
            RootKeySource::File(self.directory().root_key())
        }
    }
}

/// A data directory, or a server.
#[derive(Args, Clone, Debug)]
struct TargetArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Server to use instead of a data directory
    #[arg(long, env = "TRAILKEEP_URL", value_name = "URL")]
    url: Option<String>,
    /// Tenant to act for, with --dir; with --url the token determines it
    #[arg(
        long,
        env = "TRAILKEEP_TENANT",
        value_name = "T",
        default_value = trailkeep_core::DEFAULT_TENANT
    )]
    tenant: String,
    /// Read a superseded ledger, by name (`trailkeep tenant list --json`) [default: the active one]
    #[arg(long, value_name = "NAME")]
    ledger: Option<String>,
    /// Purpose of the read; it is recorded in the read audit
    #[arg(long, env = "TRAILKEEP_PURPOSE", value_name = "TEXT")]
    purpose: Option<String>,
    /// API token for the server
    #[arg(
        long,
        env = "TRAILKEEP_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
}

pub fn run() -> ExitCode {
    let parsed = help::command()
        .try_get_matches()
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        // Arguments that can't be parsed are looked through for the flag as they stand.
        Err(error) => {
            let json = std::env::args_os().any(|argument| argument == "--json");
            return report_usage(&error, json);
        }
    };
    let json = help::asks_for_json(&matches);
    if help::asks_for_wide(&matches) {
        table::print_wide();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(event_loop_threads())
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::from(error), json),
    };
    let ended = runtime.block_on(dispatch(cli.command));
    // What reads on for a client that was cut off must not keep the process: the files are closed.
    runtime.shutdown_timeout(READERS_END_WITHIN);
    match ended {
        Ok(code) => code,
        Err(error) => report(&error, json),
    }
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(args).await,
        Command::Config(command) => config::run(command),
        Command::Append(args) => append::run(args).await,
        Command::Show(args) => read::show(args).await,
        Command::Query(args) => query::run(*args).await,
        Command::Checkpoint(args) => read::checkpoint(args).await,
        Command::Key(command) => key::run(command).await,
        Command::Access(command) => access::run(command).await,
        Command::Policy(command) => policy::run(command).await,
        Command::Figures(args) => figures::run(*args).await,
        Command::Prices(command) => prices::run(command).await,
        Command::Prompt(command) => prompt::run(command).await,
        Command::Hold(command) => hold::run(command).await,
        Command::Retention(command) => retention::run(command).await,
        Command::Tenant(command) => tenant::run(command).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::Vault(command) => vault::run(command).await,
        Command::VaultReplica(args) => vault_copy::run(args).await,
        Command::VaultCopy(args) => {
            output::renamed("vault-copy", "vault-replica");
            vault_copy::run(args).await
        }
        Command::Anchor(command) => anchor::run(command).await,
        Command::Privacy(command) => privacy::run(command).await,
        Command::Certificate(command) => certificate::run(&command),
        Command::Receipt(command) => offline::run(command).await,
        Command::Export(args) => export::run(args).await,
        Command::Bundle(command) => bundle::run(command),
        Command::Verify(args) => verify::run(args).await,
        Command::Sources(args) => sources::run(args).await,
        Command::Index(command) => index::run(command),
        Command::Doctor(args) => doctor::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Completions { shell } => help::print_completions(shell),
        Command::Man(args) => help::write_man_pages(&args),
    }
}

/// The clock of this process: the machine's, or in debug builds the one that a test moves.
fn clock() -> Arc<dyn Clock> {
    #[cfg(debug_assertions)]
    if let Some(path) = std::env::var_os("TRAILKEEP_TEST_CLOCK") {
        return Arc::new(trailkeep_core::clock::FileClock(path.into()));
    }
    Arc::new(SystemClock)
}
