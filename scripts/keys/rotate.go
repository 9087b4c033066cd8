package main

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// rotation is how a rotation is to go on.
type rotation struct {
	timeout   time.Duration // of the wait for the new key's first use
	confirmed bool          // somebody knows that it is in use
	deleteOld bool
	restart   bool
}

// rotate goes on with the rotation of an uploader's key from wherever it
// stands: one key, two active ones, or the older one inactive.
func (k *keys) rotate(ctx context.Context, name, output string, r rotation) error {
	have, err := k.keysOf(ctx, name)
	if err != nil {
		return err
	}
	switch {
	case len(have) == 0:
		return k.fault("nothing-to-rotate", "name", name)
	case len(have) == mostKeys && r.restart:
		lost := aws.ToString(have[1].AccessKeyId)
		if have[0].Status != types.StatusTypeActive {
			return k.fault("only-one-works", "name", name, "key", lost)
		}
		if err := k.delete(ctx, name, lost); err != nil {
			return err
		}
		have = have[:1]
	case r.restart:
		k.say("no-restart", "name", name)
	}

	if len(have) == 1 {
		if r.deleteOld {
			k.say("nothing-left", "name", name, "keys", ids(have))
			return nil
		}
		if have[0].Status != types.StatusTypeActive {
			return k.fault("only-inactive", "name", name, "keys", ids(have))
		}
		if _, err := k.make(ctx, name, output); err != nil || k.dry {
			return err
		}
		if have, err = k.keysOf(ctx, name); err != nil {
			return err
		}
		if len(have) != mostKeys {
			return k.fault("keys-changed", "name", name, "keys", ids(have))
		}
	}

	older, newer := have[0], have[1]
	oldID := aws.ToString(older.AccessKeyId)
	if newer.Status != types.StatusTypeActive {
		return k.fault("newer-inactive", "name", name, "keys", ids(have))
	}
	if older.Status == types.StatusTypeActive {
		if err := k.inUse(ctx, name, newer, r); err != nil {
			return err
		}
		if err := k.deactivate(ctx, name, oldID); err != nil || k.dry {
			return err
		}
	}
	if !r.deleteOld {
		k.say("old-inactive", "key", oldID, "name", name)
		return nil
	}
	return k.delete(ctx, name, oldID)
}

// remindEach is after how many paces (30 seconds) somebody who waits is told so.
const remindEach = 60

// inUse waits until the VM has used the new key: until its last use was of S3,
// or so long after it was made that it can't be the call to STS by which `make`
// saw that it answers. (IAM keeps the last use alone.)
func (k *keys) inUse(ctx context.Context, name string, key types.AccessKeyMetadata, r rotation) error {
	id := aws.ToString(key.AccessKeyId)
	ours := aws.ToTime(key.CreateDate).Add(answersWithin + time.Minute)
	if r.confirmed || k.dry {
		return nil
	}
	k.say("waiting", "key", id, "timeout", r.timeout)
	waiting, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	began := time.Now()
	shown := began
	err := k.poll(waiting, func() (bool, error) {
		if since := time.Since(shown); since > remindEach*k.pace {
			shown = time.Now()
			k.say("still-waiting", "key", id, "time", time.Since(began).Round(time.Second), "timeout", r.timeout)
		}
		// The wider context, so that one look is made even with no time to wait.
		used, err := k.iam.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
		if err != nil {
			return false, err
		}
		last := used.AccessKeyLastUsed
		return last != nil && (aws.ToString(last.ServiceName) == "s3" || aws.ToTime(last.LastUsedDate).After(ours)), nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return k.fault("interrupted", "name", name)
	case !errors.Is(err, context.DeadlineExceeded):
		return k.fault("wait", "key", id, "error", err)
	}
	return k.fault("not-used", "key", id, "name", name)
}

func (k *keys) deactivate(ctx context.Context, name, id string) error {
	if k.dry {
		k.say("would-deactivate", "key", id, "name", name)
		return nil
	}
	_, err := k.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &id, Status: types.StatusTypeInactive})
	if err != nil {
		return k.fault("deactivate", "key", id, "name", name, "error", err)
	}
	return nil
}

// delete deletes a key; one that is gone already is no error.
func (k *keys) delete(ctx context.Context, name, id string) error {
	if k.dry {
		k.say("would-delete", "key", id, "name", name)
		return nil
	}
	_, err := k.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &id})
	var missing *types.NoSuchEntityException
	if err != nil && !errors.As(err, &missing) {
		return k.fault("delete", "key", id, "name", name, "error", err)
	}
	k.say("deleted", "key", id, "name", name)
	return nil
}
