package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"buzon/scripts/aws/localaws"
)

const (
	uploader   = "vm-01"
	oldUser    = "old-vm"
	oldBucket  = "plain-bucket"
	fullAccess = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
)

// story is one run of it.
type story struct {
	words  sayer
	out    io.Writer
	color  bool
	root   string // of the repository
	dir    string // of everything that this run makes
	folder folder
	keep   bool
	began  time.Time

	aws     *localaws.AWS
	account *account
	bucket  string

	step, expected, unmet int
}

// play tells the story. Its error is why it could not go on; expectations that
// were not met are counted.
func (s *story) play(ctx context.Context) error {
	fmt.Fprintf(s.out, "%s\n%s\n", s.paint("1", s.words("title")), s.words("where", "folder", s.dir))
	for _, step := range []func(context.Context) error{
		s.prepare, s.deploy, s.upload, s.audit, s.old, s.broad,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) deploy(ctx context.Context) error {
	s.heading("deploy")
	local, err := localaws.Start(ctx, s.dir, io.Discard)
	if err != nil {
		return err
	}
	s.aws = local
	if s.account, err = openAccount(local); err != nil {
		return err
	}
	s.command("scripts/cdk bootstrap")
	// Without an app: bootstrapping needs none, and would synthesize it.
	if _, err := s.must(ctx, s.script("cdk", "bootstrap", "--app", "", "aws://"+localaws.Account+"/"+localaws.Region)); err != nil {
		return err
	}
	s.command("scripts/cdk deploy")
	out, outputs := filepath.Join(s.dir, "cdk.out"), filepath.Join(s.dir, "outputs.json")
	if _, err := s.must(ctx, s.script("cdk", "deploy", "--require-approval", "never", "-c", "uploaders="+uploader,
		"--output", out, "--outputs-file", outputs)); err != nil {
		return err
	}
	if err := s.readOutputs(outputs); err != nil {
		return err
	}
	// What scripts/synth has judged, for its word.
	templates, err := filepath.Glob(filepath.Join(out, "*.template.json"))
	if err != nil {
		return err
	}
	args := []string{"audit-policy"}
	for _, t := range templates {
		args = append(args, "--template", t)
	}
	j, err := s.judge(ctx, args...)
	if err != nil {
		return err
	}
	s.expect(j.Verdict == "write-only", "deployed", "verdict", j.Verdict)

	vm := filepath.Join(s.dir, uploader)
	if err := os.MkdirAll(filepath.Join(vm, "outbox"), 0o700); err != nil {
		return err
	}
	s.command("scripts/issue-key " + uploader + " -o " + uploader + "/credentials")
	issued, err := s.must(ctx, s.script("issue-key", uploader, "-o", filepath.Join(uploader, "credentials")))
	if err != nil {
		return err
	}
	s.quote(issued.both(), 5, 0)
	hidden, err := hides(filepath.Join(vm, "credentials"), issued.both())
	if err != nil {
		return err
	}
	s.expect(hidden, "key-issued")

	s.command("scripts/agent-config " + uploader + " > " + uploader + "/agent.yaml")
	text, err := s.must(ctx, s.script("agent-config", uploader))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n", s.words("config-here", "folder", vm))
	here := strings.NewReplacer("/var/lib/buzon", filepath.Join(vm, "state"), "/srv/outbox", filepath.Join(vm, "outbox"))
	return writeFile(filepath.Join(vm, "agent.yaml"), here.Replace(text.out))
}

// readOutputs finds the bucket in the stack's outputs, and shows them.
func (s *story) readOutputs(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var stacks map[string]map[string]string
	if err := json.Unmarshal(text, &stacks); err != nil {
		return fmt.Errorf("read the stack's outputs: %w", err)
	}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for _, name := range slices.Sorted(maps.Keys(stacks[stack])) {
			fmt.Fprintf(s.out, "  %s.%s = %s\n", stack, name, stacks[stack][name])
		}
		if bucket := stacks[stack]["BucketName"]; bucket != "" {
			s.bucket = bucket
		}
	}
	if s.bucket == "" {
		return errors.New("the stack has no output BucketName")
	}
	return nil
}

// hides says whether a credentials file is its owner's alone, and the secret in
// it is not in what was printed.
func hides(file, printed string) (bool, error) {
	info, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	_, secret, found := strings.Cut(string(text), "aws_secret_access_key = ")
	secret = strings.TrimSpace(secret)
	return found && secret != "" && info.Mode().Perm() == 0o600 && !strings.Contains(printed, secret), nil
}

func (s *story) prefix() string { return "uploads/" + uploader + "/" }

func (s *story) upload(ctx context.Context) error {
	s.heading("upload")
	check := s.asVM(uploader, "check", "--config", "agent.yaml")
	if _, err := s.show(ctx, "agent check --config agent.yaml", check, 10, 5, 0); err != nil {
		return err
	}
	c, err := s.check(ctx, check)
	if err != nil {
		return err
	}
	n, all := c.refused()
	s.expect(all, "probes-refused", "n", n)

	typed := "agent upload --config agent.yaml " + s.folder.shown
	send := s.asVM(uploader, "upload", "--config", "agent.yaml", s.folder.path)
	if _, err := s.show(ctx, typed, send, 4, 6, 0); err != nil {
		return err
	}
	s.command("aws s3 ls --recursive s3://" + s.bucket + "/" + s.prefix())
	if err := s.list(ctx); err != nil {
		return err
	}
	if err := s.compare(ctx, "objects-equal"); err != nil {
		return err
	}
	if _, err := s.show(ctx, typed, send, 4, 6, 0); err != nil {
		return err
	}
	return s.compare(ctx, "sent-again")
}

func (s *story) list(ctx context.Context) error {
	const most = 6
	all, err := s.account.objects(ctx, s.bucket, s.prefix())
	if err != nil {
		return err
	}
	for i, o := range all {
		if i == most && len(all) > most+1 {
			fmt.Fprintf(s.out, "  %s\n", s.paint("2", s.words("more-objects", "n", len(all)-most)))
			break
		}
		fmt.Fprintf(s.out, "  %10d  %s\n", o.size, o.key)
	}
	return nil
}

// compare holds the bucket against the folder.
func (s *story) compare(ctx context.Context, id string) error {
	wrong, err := s.account.compare(ctx, s.bucket, s.prefix(), s.folder)
	switch {
	case err != nil:
		return err
	case len(wrong) > 0:
		s.expect(false, "objects-differ", "n", len(s.folder.files), "folder", s.folder.shown, "objects", strings.Join(wrong[:min(len(wrong), 5)], ", "))
	case id == "objects-equal":
		s.expect(true, id, "n", len(s.folder.files), "folder", s.folder.shown)
	default:
		s.expect(true, id)
	}
	return nil
}

// auditArgs are the audit of Buzón's own uploader.
func (s *story) auditArgs(more ...string) (typed string, args []string) {
	args = append([]string{"audit-policy", "--user", uploader, "--bucket", s.bucket, "--prefix", "uploads/{name}/"}, more...)
	return strings.Join(append([]string{"agent", "audit-policy", "--user", uploader, "--bucket", s.bucket, "--prefix", "'uploads/{name}/'"}, more...), " "), args
}

func (s *story) audit(ctx context.Context) error {
	s.heading("audit")
	typed, args := s.auditArgs()
	if _, err := s.show(ctx, typed, s.asReviewer(args...), 12, 3, 0); err != nil {
		return err
	}
	return s.expectVerdict(ctx, "write-only", args)
}

func (s *story) expectVerdict(ctx context.Context, want string, args []string) error {
	j, err := s.judge(ctx, args...)
	if err != nil {
		return err
	}
	if j.Verdict == want {
		s.expect(true, "verdict", "verdict", want)
	} else {
		s.expect(false, "verdict-other", "want", want, "verdict", j.Verdict)
	}
	return nil
}

func (s *story) old(ctx context.Context) error {
	s.heading("old")
	s.command("aws s3 mb s3://"+oldBucket,
		"aws iam create-user --user-name "+oldUser,
		"aws iam attach-user-policy --user-name "+oldUser+" --policy-arn "+fullAccess,
		"aws iam create-access-key --user-name "+oldUser)
	dir := filepath.Join(s.dir, oldUser)
	if err := s.account.plain(ctx, oldBucket, oldUser, filepath.Join(dir, "credentials")); err != nil {
		return err
	}
	prefix := "uploads/" + oldUser + "/"
	target := []string{"--bucket", oldBucket, "--prefix", prefix}
	args := append([]string{"audit-policy", "--user", oldUser}, target...)
	if _, err := s.show(ctx, "agent "+strings.Join(args, " "), s.asReviewer(args...), 24, 0, 1); err != nil {
		return err
	}
	j, err := s.judge(ctx, args...)
	if err != nil {
		return err
	}
	errorsFound, shown := 0, 0
	for _, p := range j.Principals {
		for _, f := range p.Findings {
			if f.Severity == "error" {
				errorsFound++
				if f.Witness != nil && !f.Witness.Latent {
					shown++
				}
			}
		}
	}
	if j.Verdict == "violation" && shown > 0 && shown == errorsFound {
		s.expect(true, "witness", "n", shown)
	} else {
		s.expect(false, "witness-missing", "verdict", j.Verdict, "n", shown)
	}

	check := s.asVM(oldUser, append([]string{"check"}, target...)...)
	if _, err := s.show(ctx, "agent "+strings.Join(check.args, " "), check, 10, 8, 3); err != nil {
		return err
	}
	c, err := s.check(ctx, check)
	if err != nil {
		return err
	}
	some := strings.Join(c.Overpowered[:min(len(c.Overpowered), 3)], ", ")
	s.expect(len(c.Overpowered) > 0 && !c.Passed, "overpowered", "n", len(c.Overpowered), "powers", some)

	send := append(append([]string{"upload"}, target...), "--state", filepath.Join(dir, "state"))
	typed := "agent " + strings.Join(append([]string{"upload"}, target...), " ") + " " + s.folder.shown
	if _, err := s.show(ctx, typed, s.asVM(oldUser, append(send, s.folder.path)...), 8, 4, 3); err != nil {
		return err
	}
	all, err := s.account.objects(ctx, oldBucket, "")
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o object) bool { return strings.HasPrefix(o.key, prefix+".buzon/") })
	s.expect(len(all) == 0, "nothing-sent", "folder", s.folder.shown)
	return nil
}

func (s *story) broad(ctx context.Context) error {
	s.heading("broad")
	s.command("aws iam attach-user-policy --user-name " + uploader + " --policy-arn " + fullAccess)
	if err := s.account.attach(ctx, uploader); err != nil {
		return err
	}
	check := s.asVM(uploader, "check", "--config", "agent.yaml")
	if _, err := s.show(ctx, "agent check --config agent.yaml", check, 1, 8, 0); err != nil {
		return err
	}
	c, err := s.check(ctx, check)
	if err != nil {
		return err
	}
	n, all := c.refused()
	s.expect(all, "still-refused", "n", n)

	typed, args := s.auditArgs()
	if _, err := s.show(ctx, typed, s.asReviewer(args...), 24, 3, 0); err != nil {
		return err
	}
	if err := s.expectVerdict(ctx, "write-only", args); err != nil {
		return err
	}
	if err := s.expectStops(ctx, args); err != nil {
		return err
	}

	fmt.Fprintf(s.out, "\n%s", s.words("strict-meaning"))
	typed, args = s.auditArgs("--strict")
	s.command(typed)
	strict, err := s.run(ctx, s.asReviewer(args...))
	if err != nil {
		return err
	}
	s.quote(strict.both(), 2, 0)
	s.expectExit(strict.code, 1)
	return nil
}

// expectStops says which statements the audit names as what holds.
func (s *story) expectStops(ctx context.Context, args []string) error {
	j, err := s.judge(ctx, args...)
	if err != nil {
		return err
	}
	layers, named := map[string]bool{}, []string{}
	for _, p := range j.Principals {
		for _, f := range p.Findings {
			if f.Rule != "broad-policy" || f.Severity != "warning" {
				continue
			}
			for _, stop := range f.Stops {
				layers[stop.Layer] = true
				name := stop.Layer
				if stop.Sid != "" {
					name += " " + stop.Sid
				}
				if !slices.Contains(named, name) {
					named = append(named, name)
				}
			}
		}
	}
	id := "held-by"
	met := layers["boundary"] && layers["bucket-policy"]
	if !met {
		id = "held-by-none"
	}
	s.expect(met, id, "holders", strings.Join(named, ", "))
	return nil
}

// end cleans up, however the story ended, and says what came of it.
func (s *story) end(ctx context.Context, err error) {
	interrupted := ctx.Err() != nil
	if err != nil && !interrupted {
		fmt.Fprintf(s.out, "\n%s %s\n", s.paint("1;31", "✗"), s.words("broke-off", "error", err))
	}
	if s.keep && !interrupted && s.aws != nil {
		s.heading("keep")
		if err := s.leave(); err != nil {
			fmt.Fprintf(s.out, "%s\n", s.words("left-behind", "error", err))
		}
		fmt.Fprintf(s.out, "%s\n", s.words("keep-how", "folder", s.dir, "root", s.root, "bucket", s.bucket))
	} else {
		if err == nil {
			s.heading("clean")
		}
		left := s.clean()
		switch {
		case left != nil:
			s.unmet++
			fmt.Fprintf(s.out, "%s\n", s.words("left-behind", "error", left))
		case interrupted:
			fmt.Fprintf(s.out, "\n%s\n", s.words("interrupted"))
			return
		case err == nil:
			s.expect(true, "cleaned")
		}
	}
	switch {
	case s.unmet > 0:
		fmt.Fprintf(s.out, "\n%s\n", s.paint("1;31", s.words("end-unmet", "unmet", s.unmet, "n", s.expected)))
	case err == nil:
		fmt.Fprintf(s.out, "\n%s\n", s.paint("1;32", s.words("end-met", "n", s.expected, "time", seconds(time.Since(s.began)))))
	}
}

// clean stops the server and removes what this run made.
func (s *story) clean() error {
	var stopped error
	if s.aws != nil {
		stopped = s.aws.Stop()
	}
	return errors.Join(stopped, os.RemoveAll(s.dir))
}

// leave writes what a shell needs to go on as the VM.
func (s *story) leave() error {
	vm := filepath.Join(s.dir, uploader)
	var text strings.Builder
	for _, pair := range append(s.aws.ClientEnv(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(vm, "credentials")) {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&text, "export %s='%s'\n", name, value)
	}
	fmt.Fprintf(&text, "unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\nexport PATH='%s':$PATH\ncd '%s'\n", filepath.Dir(s.agent()), vm)
	if err := writeFile(filepath.Join(vm, "env"), text.String()); err != nil {
		return err
	}
	env, err := os.OpenFile(filepath.Join(s.dir, "env"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env, "export PATH='%s':$PATH\n", filepath.Dir(s.agent()))
	return errors.Join(err, env.Close())
}
