// Package localaws runs the local AWS: MiniStack, pinned and with enforcement
// of IAM and signatures switched on, on a free loopback port with TLS. It
// serves CloudFormation, IAM, STS and S3, so that `cdk deploy` against it is
// the real thing.
//
// A test calls ForTest, which stops the server when the test ends; a script
// calls Start and later Open and Stop with the same folder. What the server
// holds lives in its memory and is gone when it stops.
//
// It is no proof of AWS: the lists of what it does otherwise stand in
// docs/decisions/local-aws.md. Its platform key is the account's root, whose
// secret it doesn't check; use it only as the platform team.
package localaws

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Account, Region and the platform's key of every local AWS.
const (
	Account        = "111122223333"
	Region         = "us-east-1"
	platformKey    = "platform"
	platformSecret = "not-a-secret-of-anybody"
)

const readyWithin = 60 * time.Second

// AWS is a running server. Its exported fields are kept in the folder, so that
// another process can Open it.
type AWS struct {
	Dir      string `json:"-"`
	Endpoint string `json:"endpoint"` // https://127.0.0.1:PORT
	PID      int    `json:"pid"`
}

// Start starts a server whose files live in dir, which must exist, and returns
// when it answers. The server outlives this process; Stop ends it.
func Start(ctx context.Context, dir string, log io.Writer) (*AWS, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	python, err := Install(ctx, log)
	if err != nil {
		return nil, err
	}
	if err := writeCertificates(dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "serve.py"), starter, 0o600); err != nil {
		return nil, fmt.Errorf("write the starter: %w", err)
	}
	// Between finding a free port and taking it another process may come first.
	for range 3 {
		var a *AWS
		if a, err = launch(ctx, dir, python); err == nil {
			return a, a.save()
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func launch(ctx context.Context, dir, python string) (*AWS, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	said, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer said.Close()
	cmd := exec.Command(python, filepath.Join(dir, "serve.py"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	// A session of its own: an interrupt typed at the terminal is for whoever
	// started it, who then stops the server in good order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(plainEnv(),
		"AUTH=true", "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port,
		"MINISTACK_ACCOUNT_ID="+Account, "MINISTACK_REGION="+Region,
		"AWS_ACCESS_KEY_ID="+platformKey, "AWS_SECRET_ACCESS_KEY="+platformSecret,
		"SERVICES=s3,iam,sts,cloudformation,ssm,ecr,kms,events,cloudtrail,logs,monitoring,sns", "IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0",
		"USE_SSL=1", "MINISTACK_SSL_CERT="+filepath.Join(dir, "server.pem"), "MINISTACK_SSL_KEY="+filepath.Join(dir, "server.key"),
		"TMPDIR="+dir, "S3_DATA_DIR="+filepath.Join(dir, "s3"), "STATE_DIR="+filepath.Join(dir, "state"), "LOG_LEVEL=WARNING",
	)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the local AWS: %w", err)
	}
	a := &AWS{Dir: dir, Endpoint: "https://127.0.0.1:" + port, PID: cmd.Process.Pid}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := a.ready(ctx, ended); err != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
		text, _ := os.ReadFile(said.Name())
		return nil, fmt.Errorf("start the local AWS: %w: %s", err, tail(text))
	}
	return a, nil
}

// ready polls until the server answers, has ended, or time is up.
func (a *AWS) ready(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	client, err := a.HTTP()
	if err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Endpoint+"/_ministack/health", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer at %s: %w", a.Endpoint, ctx.Err())
		case err := <-ended:
			return fmt.Errorf("it ended: %w", cmp.Or(err, errors.New("without an error")))
		case <-tick.C:
		}
	}
}

// Open finds the server that was started with dir.
func Open(dir string) (*AWS, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "aws.json"))
	if err != nil {
		return nil, fmt.Errorf("find the local AWS: %w", err)
	}
	a := &AWS{Dir: dir}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("read aws.json: %w", err)
	}
	return a, nil
}

func (a *AWS) save() error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write aws.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "aws.json"), text, 0o600); err != nil {
		return fmt.Errorf("write aws.json: %w", err)
	}
	var env strings.Builder
	for _, pair := range a.Env() {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&env, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	env.WriteString("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_DEFAULT_PROFILE AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE\n")
	if err := os.WriteFile(filepath.Join(a.Dir, "env"), []byte(env.String()), 0o600); err != nil {
		return fmt.Errorf("write env: %w", err)
	}
	return nil
}

// Stop ends the server and waits until it is gone. One that is gone already is
// no error. It ends the process only if that still is this server, for a
// process id may have passed to another.
func (a *AWS) Stop() error {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", a.PID))
	if err == nil && !strings.Contains(string(line), filepath.Join(a.Dir, "serve.py")) {
		return nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(a.PID, signal); errors.Is(err, syscall.ESRCH) {
			return nil
		} else if err != nil {
			return fmt.Errorf("stop process %d: %w", a.PID, err)
		}
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if gone(a.PID) {
				return nil
			}
		}
	}
	return fmt.Errorf("process %d does not end", a.PID)
}

// gone says whether a process has ended; one that nobody has waited for yet (a
// zombie) has.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

// HTTP gives a client that trusts this server and nothing else.
func (a *AWS) HTTP() (*http.Client, error) {
	text, err := os.ReadFile(a.CA())
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: transport}, nil
}

// CA is the file with the authority that clients must trust.
func (a *AWS) CA() string { return filepath.Join(a.Dir, "ca.pem") }

// ClientEnv is the environment that leads a client to this server, without
// credentials.
func (a *AWS) ClientEnv() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + a.Endpoint,
		"AWS_CA_BUNDLE=" + a.CA(),
		"NODE_EXTRA_CA_CERTS=" + a.CA(),
		"CDK_HOME=" + filepath.Join(a.Dir, "cdk"),
		"CDK_DEFAULT_ACCOUNT=" + Account,
		"CDK_DEFAULT_REGION=" + Region,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region, // the AWS CLI before version 2 knows no other
		"AWS_EC2_METADATA_DISABLED=true",
		// Nothing of the user's own.
		"AWS_CONFIG_FILE=" + filepath.Join(a.Dir, "config"),
		"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(a.Dir, "credentials"),
		"NO_PROXY=127.0.0.1,localhost",
		"no_proxy=127.0.0.1,localhost",
	}
}

// Env is ClientEnv with the platform team's key.
func (a *AWS) Env() []string {
	return append(a.ClientEnv(), "AWS_ACCESS_KEY_ID="+platformKey, "AWS_SECRET_ACCESS_KEY="+platformSecret)
}

// CommandEnv is this process's environment with every AWS setting replaced by
// the given ones.
func CommandEnv(settings []string) []string { return append(plainEnv(), settings...) }

// plainEnv is this process's environment without anything that AWS clients
// read.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "AWS_") || strings.HasPrefix(pair, "CDK_")
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func tail(text []byte) string {
	const most = 2000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}
