//! A Samba server of the test's own, mounted through a FUSE client: what SMB does, as far as a server on this machine shows it.
//!
//! The server listens on loopback alone, on a port that is free, with all its files in the test's directory. smbnetfs mounts
//! it without a kernel that knows SMB. Both need root here, and are optional: a test without them is left out, aloud.

use super::oracle::{Outcome, leave_out, run};
use super::scratch::Scratch;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAMS: [&str; 3] = ["smbd", "smbclient", "smbnetfs"];
const DIRECTORIES: [&str; 8] = ["share", "mount", "private", "lock", "state", "cache", "run", "home"];

/// How long the server and the client may take until the share can be used.
const PATIENCE: Duration = Duration::from_secs(30);

/// A share that is served and mounted until it is dropped.
pub struct Share {
    port: u16,
    /// The server and the client, each the leader of a process group, as both have children.
    running: Vec<Child>,
    mount: PathBuf,
    scratch: Scratch,
}

impl Share {
    #[track_caller]
    pub fn mount() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new("/dev/fuse").exists() {
            leave_out("a Samba server and its mount need root and /dev/fuse");
            return None;
        }
        if let Some(missing) = PROGRAMS.iter().find(|name| program(name).is_none()) {
            leave_out(&format!("{missing} is not installed"));
            return None;
        }
        let scratch = Scratch::new();
        for name in DIRECTORIES {
            scratch.mkdir(name);
        }
        let mount = scratch.join("mount");
        let mut share = Self { port: free_port(), running: Vec::new(), mount, scratch };
        share.serve();
        share.attach();
        Some(share)
    }

    /// The share where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.mount.join(format!("127.0.0.1:{}/share", self.port))
    }

    /// What the server serves.
    pub fn served(&self) -> PathBuf {
        self.scratch.join("share")
    }

    /// Runs commands of smbclient, which speaks to the server without the mount.
    #[track_caller]
    pub fn client(&self, commands: &str) -> Outcome {
        let mut command = Command::new("smbclient");
        let config = format!("--configfile={}", self.scratch.join("smb.conf").display());
        command.args([&config, "-N", "-p", &self.port.to_string(), "//127.0.0.1/share", "-c", commands]);
        run(&mut command, None).expect(0)
    }

    fn serve(&mut self) {
        let config = self.scratch.write("smb.conf", config(self.scratch.path(), self.port));
        let mut command = until_we_end(program("smbd").unwrap());
        command.arg(format!("--configfile={}", config.display())).arg("--foreground");
        // It makes itself the leader of a session, which a leader of a group cannot.
        self.start(command, "smbd.log");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        self.wait("the server", |_| TcpStream::connect(address).is_ok());
    }

    fn attach(&mut self) {
        let config =
            self.scratch.write("smbnetfs.conf", "smb_query_browsers \"false\"\nuse_libsecret \"false\"\n");
        // smbnetfs refuses a configuration that others may read.
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = until_we_end(program("smbnetfs").unwrap());
        command.env("HOME", self.scratch.join("home")).arg("-f").arg(&self.mount);
        command.arg("-o").arg(format!("config={}", config.display()));
        command.process_group(0);
        self.start(command, "smbnetfs.log");
        fs::write(self.served().join("served"), "").unwrap();
        self.wait("the mount", |share| share.path().join("served").exists());
        fs::remove_file(self.served().join("served")).unwrap();
    }

    fn start(&mut self, mut command: Command, log: &str) {
        let log = fs::File::create(self.scratch.join(log)).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.running.push(command.spawn().unwrap());
    }

    #[track_caller]
    fn wait(&self, what: &str, ready: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !ready(self) {
            let logs = ["smbd.log", "smbnetfs.log"].map(|name| fs::read_to_string(self.scratch.join(name)));
            assert!(start.elapsed() < PATIENCE, "{what} does not start: {logs:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        super::slowfs::detach(&self.mount);
        // The client first: it would wait for a server that is gone.
        for mut child in self.running.drain(..).rev() {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }
}

/// A command that is killed when the test that starts it does not come to its end.
fn until_we_end(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Where a program is: servers may not be on a user's search path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    dirs.map(|dir| dir.join(name)).find(|program| program.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Case makes no difference, as on Azure Files, and guests are let in.
fn config(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "[global]
        server role = standalone server
        interfaces = lo
        bind interfaces only = yes
        disable netbios = yes
        smb ports = {port}
        server min protocol = SMB2
        map to guest = Bad User
        guest account = root
        private dir = {dir}/private
        lock directory = {dir}/lock
        state directory = {dir}/state
        cache directory = {dir}/cache
        pid directory = {dir}/run
        ncalrpc dir = {dir}/run/ncalrpc
        log file = {dir}/samba.log
        load printers = no
        printcap name = /dev/null
        disable spoolss = yes
        [share]
        path = {dir}/share
        read only = no
        guest only = yes
        force user = root
        case sensitive = no
        preserve case = yes
        "
    )
}
