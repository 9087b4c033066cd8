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
		return fmt.Errorf("%s has %d access keys (%s), and IAM allows no third.\nDelete one that is not in use:  scripts/revoke-key %s KEY, or finish its rotation:  scripts/rotate-key %s",
			name, len(have), ids(have), name, name)
	}
	if len(have) == 1 {
		k.say("%s has a key already (%s). To replace it, scripts/rotate-key %s also retires the old one.", name, ids(have), name)
	}
	_, err = k.make(ctx, name, output)
	return err
}

func once(o *iam.Options) { o.RetryMaxAttempts = 1 }

// keysOf gives the access keys of an uploader, oldest first. A user that isn't
// there, or isn't under the path, is an error.
func (k *keys) keysOf(ctx context.Context, name string) ([]types.AccessKeyMetadata, error) {
	if name == "" {
		return nil, usageError{"the uploader's name is missing, as in:  scripts/issue-key vm-01"}
	}
	user, err := k.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	var missing *types.NoSuchEntityException
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("there is no IAM user %q.\nUploaders are made by the stack: add the name to \"uploaders\" in cdk.json, then  scripts/cdk deploy", name)
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", name, err)
	}
	if path := aws.ToString(user.User.Path); path != k.path {
		return nil, fmt.Errorf("%s is no uploader: its IAM path is %s, not %s.\nIf the stack has another path, give it with --path", name, path, k.path)
	}
	list, err := k.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
	if err != nil {
		return nil, fmt.Errorf("list the keys of %s: %w", name, err)
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
		k.say("Would make an access key for %s and write it to %s.", name, output)
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
		err = fmt.Errorf("make a key for %s: %w", name, err)
		var answered smithy.APIError
		if !errors.As(err, &answered) {
			err = fmt.Errorf("%w.\nNo answer came, so there may be a key whose secret nobody has. See which keys there are:  scripts/revoke-key %s --dry-run", err, name)
		}
		return "", errors.Join(err, file.discard())
	}
	key := made.AccessKey
	id = aws.ToString(key.AccessKeyId)
	if err := file.write(credentialsText(name, key)); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
		defer cancel()
		err = fmt.Errorf("write %s: %w", output, err)
		if _, undone := k.iam.DeleteAccessKey(undo, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &id}); undone != nil {
			err = errors.Join(err, fmt.Errorf("and the key %s could not be deleted: %w.\nDelete it:  scripts/revoke-key %s %[1]s", id, undone, name))
		} else {
			err = fmt.Errorf("%w; the key was deleted again", err)
		}
		return "", errors.Join(err, file.discard())
	}
	if err := k.answers(ctx, key); err != nil {
		return "", fmt.Errorf("the key %s is written, but STS does not know it yet: %w", id, err)
	}
	if output == "-" {
		k.say("%s has the new key %s, and it answers.", name, id)
	} else {
		k.say("%s has the new key %s, and it answers. It is in %s (readable by you alone): move it to the VM, then delete it here.", name, id, output)
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
		file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("%s exists already, and a key is never written over something.\nName another file with -o", output)
		}
		if err != nil {
			return nil, fmt.Errorf("make the credentials file: %w", err)
		}
		return &place{file, true}, nil
	}
	file, ok := k.out.(*os.File)
	if !ok {
		return nil, errors.New("-o - needs a pipe")
	}
	if term.IsTerminal(int(file.Fd())) {
		return nil, usageError{"-o - writes the secret to a pipe, not to a terminal, as in:\n  scripts/issue-key vm-01 -o - | ssh vm-01 'sudo install -m600 -o buzon /dev/stdin /etc/buzon/credentials'"}
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

func credentialsText(name string, key *types.AccessKey) string {
	return fmt.Sprintf("# The access key of the uploader %s. For its VM only, mode 0600.\n[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		name, aws.ToString(key.AccessKeyId), aws.ToString(key.SecretAccessKey))
}
