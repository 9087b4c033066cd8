package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"golang.org/x/term"
)

// mostKeys is what IAM allows a user ("IAM and AWS STS quotas").
const mostKeys = 2

// finishWithin bounds what is finished even after an interrupt: making a key, for
// a request that is broken off may have made one whose secret is then lost, and
// deleting one that could not be handed over.
const finishWithin = 30 * time.Second

// answersWithin bounds how long a new key may be unknown to STS; IAM's answers
// spread over some seconds (IAM User Guide, "Changes that I make are not always
// immediately visible").
const answersWithin = 2 * time.Minute

// issue makes a key for an uploader and hands it over as a credentials file.
func (k *keys) issue(ctx context.Context, name, output string) error {
	have, err := k.keysOf(ctx, name)
	if err != nil {
		return err
	}
	if len(have) >= mostKeys {
		return k.fault("two-keys", "name", name, "n", len(have), "keys", ids(have))
	}
	if len(have) == 1 {
		k.say("has-key", "name", name, "keys", ids(have))
	}
	_, err = k.make(ctx, name, output)
	return err
}

func once(o *iam.Options) { o.RetryMaxAttempts = 1 }

// keysOf gives the access keys of an uploader, oldest first. A user that isn't
// there, or isn't under the path, is an error.
func (k *keys) keysOf(ctx context.Context, name string) ([]types.AccessKeyMetadata, error) {
	if name == "" {
		return nil, k.misuse("no-name", "script", k.script)
	}
	user, err := k.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	var missing *types.NoSuchEntityException
	if errors.As(err, &missing) {
		return nil, k.fault("no-user", "name", name)
	}
	if err != nil {
		return nil, k.fault("look-up", "name", name, "error", err)
	}
	if path := aws.ToString(user.User.Path); path != k.path {
		return nil, k.fault("no-uploader", "name", name, "path", path, "want", k.path)
	}
	list, err := k.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
	if err != nil {
		return nil, k.fault("list-keys", "name", name, "error", err)
	}
	have := list.AccessKeyMetadata
	slices.SortStableFunc(have, func(a, b types.AccessKeyMetadata) int {
		return aws.ToTime(a.CreateDate).Compare(aws.ToTime(b.CreateDate))
	})
	return have, nil
}

func ids(have []types.AccessKeyMetadata) string {
	var all []string
	for _, key := range have {
		all = append(all, aws.ToString(key.AccessKeyId)+" "+strings.ToLower(string(key.Status)))
	}
	return strings.Join(all, ", ")
}

// make makes a key and hands it over, in an order in which nothing is lost: the
// place for it first, then the key; and if it can't be written there, the key
// is deleted at once.
func (k *keys) make(ctx context.Context, name, output string) (id string, err error) {
	if output == "" {
		output = name + ".credentials"
	}
	if k.dry {
		k.say("would-make", "name", name, "file", output)
		return "", nil
	}
	file, err := k.open(output)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", errors.Join(err, file.discard())
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	// Sent once: a repetition after a lost answer would make a second key.
	made, err := k.iam.CreateAccessKey(whole, &iam.CreateAccessKeyInput{UserName: &name}, once)
	if err != nil {
		var answered smithy.APIError
		if errors.As(err, &answered) {
			return "", errors.Join(k.fault("make-key", "name", name, "error", err), file.discard())
		}
		return "", errors.Join(k.fault("make-no-answer", "name", name, "error", err), file.discard())
	}
	key := made.AccessKey
	id = aws.ToString(key.AccessKeyId)
	if err := file.write(k.credentialsText(name, key)); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
		defer cancel()
		if _, undone := k.iam.DeleteAccessKey(undo, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &id}); undone != nil {
			err = errors.Join(k.fault("write", "file", output, "error", err), k.fault("not-undone", "key", id, "error", undone, "name", name))
		} else {
			err = k.fault("write-undone", "file", output, "error", err)
		}
		return "", errors.Join(err, file.discard())
	}
	if err := k.answers(ctx, key); err != nil {
		return "", k.fault("no-answer", "key", id, "error", err)
	}
	if output == "-" {
		k.say("made-piped", "name", name, "key", id)
	} else {
		k.say("made", "name", name, "key", id, "file", output)
	}
	return id, nil
}

// answers waits until the key answers GetCallerIdentity, which needs no
// permission.
func (k *keys) answers(ctx context.Context, key *types.AccessKey) error {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	client := sts.NewFromConfig(k.aws, func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(aws.ToString(key.AccessKeyId), aws.ToString(key.SecretAccessKey), "")
	})
	return k.poll(ctx, func() (bool, error) {
		_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err == nil, err
	})
}

// poll asks again and again, ever more slowly, until the answer is yes or the
// time is up; then it gives the last error.
func (k *keys) poll(ctx context.Context, yes func() (bool, error)) error {
	pace := k.pace
	for {
		ok, err := yes()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pace):
		}
		pace = min(pace*2, 20*k.pace)
	}
}

// place is where a key is handed over.
type place struct {
	*os.File
	made bool // the file is ours to remove
}

// open makes the place for a key before there is one. A file must not exist
// yet; a terminal is refused, for what is shown there is kept by scroll-back and
// recordings.
func (k *keys) open(output string) (*place, error) {
	if output != "-" {
		if err := k.apartFromGit(output); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return nil, k.fault("file-exists", "file", output)
		}
		if err != nil {
			return nil, k.fault("make-file", "file", output, "error", err)
		}
		return &place{file, true}, nil
	}
	file, ok := k.out.(*os.File)
	if !ok {
		return nil, k.fault("need-pipe")
	}
	if term.IsTerminal(int(file.Fd())) {
		return nil, k.misuse("no-terminal")
	}
	return &place{file, false}, nil
}

func (p *place) write(text string) error {
	if _, err := p.WriteString(text); err != nil {
		return err
	}
	if p.made {
		if err := p.Sync(); err != nil {
			return err
		}
	}
	return p.Close()
}

func (p *place) discard() error {
	if !p.made {
		return nil
	}
	_ = p.Close() // it may be closed already
	return os.Remove(p.Name())
}

func (k *keys) credentialsText(name string, key *types.AccessKey) string {
	return fmt.Sprintf("# %s\n[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		k.text("credentials", "name", name), aws.ToString(key.AccessKeyId), aws.ToString(key.SecretAccessKey))
}
