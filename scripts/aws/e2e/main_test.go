package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"buzon/scripts/aws/localaws"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// world is the local AWS with the stack in it, shared by all stories: a deploy
// takes seconds. Each story uses uploaders of its own.
type world struct {
	aws    *localaws.AWS
	dir    string
	root   string // of the repository
	agent  string // the built program
	bucket string
	iam    *iam.Client
	s3     *s3.Client // the platform's
	config aws.Config
}

// The uploaders of the stack, by story.
const (
	forCalls  = "vm-01"
	forAgent  = "vm-02"
	forKeys   = "vm-03"
	forOthers = "vm-04"
	// The journey's: it sends some 11,000 objects.
	forJourney = "vm-05"
	uploaders  = forCalls + "," + forAgent + "," + forKeys + "," + forOthers + "," + forJourney
)

var errNoNPM = errors.New("npm is missing, and with it the CDK")

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	defer func() {
		if theWorld != nil {
			if err := theWorld.aws.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			if err := os.RemoveAll(theWorld.dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return m.Run()
}

var (
	theWorld   *world
	startWorld = sync.OnceValue(func() error { return newWorld(context.Background()) })
	makeWorld  = sync.OnceValue(func() error {
		if err := startWorld(); err != nil {
			return err
		}
		return theWorld.stack(context.Background())
	})
)

// open gives the world with the stack in it, made on first use.
func open(t *testing.T) *world {
	t.Helper()
	return made(t, makeWorld)
}

// bare gives the world for what needs no stack; there may be one in it.
func bare(t *testing.T) *world {
	t.Helper()
	return made(t, startWorld)
}

func made(t *testing.T, make func() error) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: the end-to-end stories take a minute")
	}
	err := make()
	if errors.Is(err, localaws.ErrNoPython) || errors.Is(err, errNoNPM) {
		t.Skip("SKIPPED, " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return theWorld
}

func newWorld(ctx context.Context) error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "buzon-e2e-")
	if err != nil {
		return err
	}
	local, err := localaws.Start(ctx, dir, io.Discard)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	w := &world{aws: local, dir: dir, root: root, agent: filepath.Join(dir, "agent")}
	theWorld = w
	// The SDK in this process reads its settings as any program does, and must
	// find none of the developer's own.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	for _, pair := range local.Env() {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	w.config, err = w.load(ctx, "", "")
	if err != nil {
		return err
	}
	w.iam, w.s3 = iam.NewFromConfig(w.config), s3.NewFromConfig(w.config)
	return nil
}

// stack deploys it.
func (w *world) stack(ctx context.Context) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return errNoNPM
	}
	// Without an app: bootstrapping needs none, and would synthesize it.
	if out, err := w.cdk(ctx, "bootstrap", "--app", "", "aws://"+localaws.Account+"/"+localaws.Region); err != nil {
		return fmt.Errorf("cdk bootstrap: %w\n%s", err, out)
	}
	outputs, err := w.deploy(ctx, uploaders)
	if err != nil {
		return err
	}
	w.bucket = outputs["BucketName"]
	return nil
}

// load makes the settings of a client that holds the given key, or with none
// the platform's.
func (w *world) load(ctx context.Context, id, secret string) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(1)}
	if id != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, secret, "")))
	}
	return config.LoadDefaultConfig(ctx, options...)
}

// run runs a program in the repository and gives all that it said.
func (w *world) run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = w.root, localaws.CommandEnv(env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var buildAgent = sync.OnceValues(func() (string, error) {
	return theWorld.run(context.Background(), nil, "go", "build", "-o", theWorld.agent, "./agent")
})

// runAgent runs the agent with the given environment beside the client's own.
func (w *world) runAgent(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	if out, err := buildAgent(); err != nil {
		t.Fatalf("build the agent: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), w.agent, args...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &said
	cmd.Env = append(localaws.CommandEnv(env), "LANG=en_US.UTF-8", "LC_ALL=", "COLUMNS=1000", "XDG_STATE_HOME="+cmd.Dir,
		// Not that of an agent which this machine runs.
		"XDG_CONFIG_HOME="+cmd.Dir, "CONFIGURATION_DIRECTORY="+cmd.Dir)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

func (w *world) cdk(ctx context.Context, args ...string) (string, error) {
	return w.run(ctx, w.aws.Env(), filepath.Join(w.root, "scripts", "cdk"), append(args, "--output", filepath.Join(w.dir, "cdk.out"))...)
}

// deploy deploys the stack for those uploaders and gives its outputs.
func (w *world) deploy(ctx context.Context, uploaders string, more ...string) (map[string]string, error) {
	file := filepath.Join(w.dir, "outputs.json")
	out, err := w.cdk(ctx, append([]string{"deploy", "--require-approval", "never", "--outputs-file", file, "-c", "uploaders=" + uploaders}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("cdk deploy: %w\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var stacks map[string]map[string]string
	if err := json.Unmarshal(text, &stacks); err != nil {
		return nil, err
	}
	stacks["Buzon"]["said"] = out
	return stacks["Buzon"], nil
}

// key makes an access key for a user; it is deleted when the test ends.
func (w *world) key(t *testing.T, user string) (id, secret string) {
	t.Helper()
	made, err := w.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := w.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: made.AccessKey.AccessKeyId}); err != nil {
			t.Error(err)
		}
	})
	return *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey
}

// as gives an S3 client that holds a new key of the user.
func (w *world) as(t *testing.T, user string) *s3.Client {
	t.Helper()
	id, secret := w.key(t, user)
	cfg, err := w.load(t.Context(), id, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(cfg)
}
