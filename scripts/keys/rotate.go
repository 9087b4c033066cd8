package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// rotation is how a rotation is to go on.
type rotation struct {
	wait      time.Duration // for the new key's first use
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
		return fmt.Errorf("%s has no key to rotate.\nMake its first one:  scripts/issue-key %[1]s", name)
	case len(have) == mostKeys && r.restart:
		lost := aws.ToString(have[1].AccessKeyId)
		if have[0].Status != types.StatusTypeActive {
			return fmt.Errorf("the older key of %s is inactive, so %s is the only one that works: not deleted", name, lost)
		}
		if err := k.delete(ctx, name, lost); err != nil {
			return err
		}
		have = have[:1]
	case r.restart:
		k.say("%s has one key: nothing to start again from.", name)
	}

	if len(have) == 1 {
		if r.deleteOld {
			k.say("%s has one key (%s): nothing is left to delete.", name, ids(have))
			return nil
		}
		if have[0].Status != types.StatusTypeActive {
			return fmt.Errorf("the only key of %s is inactive (%s): this is no rotation.\nDelete it:  scripts/revoke-key %[1]s  and make another:  scripts/issue-key %[1]s", name, ids(have))
		}
		if _, err := k.make(ctx, name, output); err != nil || k.dry {
			return err
		}
		if have, err = k.keysOf(ctx, name); err != nil {
			return err
		}
		if len(have) != mostKeys {
			return fmt.Errorf("the keys of %s changed meanwhile (%s).\nLook again:  scripts/rotate-key %[1]s", name, ids(have))
		}
	}

	older, newer := have[0], have[1]
	oldID := aws.ToString(older.AccessKeyId)
	if newer.Status != types.StatusTypeActive {
		return fmt.Errorf("the newer key of %s is inactive (%s): this is no rotation under way.\nDelete the one that is not wanted:  scripts/revoke-key %[1]s KEY", name, ids(have))
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
		k.say("The old key %s is inactive. Should the VM miss it, it can be switched on again in IAM.\nWhen all has gone well for a while:  scripts/rotate-key %s --delete-old", oldID, name)
		return nil
	}
	return k.delete(ctx, name, oldID)
}

// inUse waits until the VM has used the new key: until its last use was of S3,
// or so long after it was made that it can't be the call to STS by which `make`
// saw that it answers. (IAM keeps the last use alone.)
func (k *keys) inUse(ctx context.Context, name string, key types.AccessKeyMetadata, r rotation) error {
	id := aws.ToString(key.AccessKeyId)
	ours := aws.ToTime(key.CreateDate).Add(answersWithin + time.Minute)
	if r.confirmed || k.dry {
		return nil
	}
	k.say("Waiting until the VM uses %s. Install it there; this may be interrupted, and run again.", id)
	waiting, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	err := k.poll(waiting, func() (bool, error) {
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
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("wait for the first use of %s: %w", id, err)
	}
	return fmt.Errorf("the new key %s has not been used yet, so the old one stays.\nGo on when it is installed:  scripts/rotate-key %s\nIf you know that it is in use:  scripts/rotate-key %[2]s --confirmed\nIf its file was lost:  scripts/rotate-key %[2]s --restart", id, name)
}

func (k *keys) deactivate(ctx context.Context, name, id string) error {
	if k.dry {
		k.say("Would deactivate %s of %s.", id, name)
		return nil
	}
	_, err := k.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &id, Status: types.StatusTypeInactive})
	if err != nil {
		return fmt.Errorf("deactivate %s of %s: %w", id, name, err)
	}
	return nil
}

// delete deletes a key; one that is gone already is no error.
func (k *keys) delete(ctx context.Context, name, id string) error {
	if k.dry {
		k.say("Would delete %s of %s.", id, name)
		return nil
	}
	_, err := k.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &id})
	var missing *types.NoSuchEntityException
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("delete %s of %s: %w", id, name, err)
	}
	k.say("Deleted %s of %s.", id, name)
	return nil
}
