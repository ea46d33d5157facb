package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxBody is the longest body of a request or an answer.
const MaxBody = 1 << 20

const (
	frameRequest = 1
	frameAnswer  = 2

	requestHeader = 14 // type, id, timeout in ms, length of the name
	answerHeader  = 10 // type, id, outcome
	maxFrameSize  = requestHeader + 255 + MaxBody
	readChunk     = 64 << 10
)

// outcome says what an answer's body is.
type outcome byte

const (
	outcomeOK        outcome = 0 // the result
	outcomeError     outcome = 1 // a RemoteError from the method
	outcomeNotRun    outcome = 2 // a RemoteError: the request was not executed
	outcomeReconnect outcome = 3 // nothing: not executed, this connection is out of date
)

type request struct {
	id      uint64
	timeout time.Duration // what the caller has left; 0 = no limit
	method  string
	body    []byte
}

type answer struct {
	id      uint64
	outcome outcome
	body    []byte
}

var errFrame = errors.New("malformed RPC frame")

// append writes the frame, or reports that it would be too long.
func (r *request) append(b []byte) ([]byte, error) {
	if len(r.method) > 255 || len(r.body) > MaxBody {
		return nil, fmt.Errorf("request %s of %d bytes: the limit is %d", r.method, len(r.body), MaxBody)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(requestHeader+len(r.method)+len(r.body)))
	b = append(b, frameRequest)
	b = binary.BigEndian.AppendUint64(b, r.id)
	b = binary.BigEndian.AppendUint32(b, uint32(min(r.timeout.Milliseconds(), 1<<32-1)))
	b = append(b, byte(len(r.method)))
	b = append(b, r.method...)
	return append(b, r.body...), nil
}

func parseRequest(b []byte) (request, error) {
	if len(b) < requestHeader || b[0] != frameRequest {
		return request{}, errFrame
	}
	r := request{id: binary.BigEndian.Uint64(b[1:])}
	r.timeout = time.Duration(binary.BigEndian.Uint32(b[9:])) * time.Millisecond
	n := int(b[13])
	b = b[requestHeader:]
	if len(b) < n || len(b)-n > MaxBody {
		return request{}, errFrame
	}
	r.method, r.body = string(b[:n]), b[n:]
	return r, nil
}

func (a *answer) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(answerHeader+len(a.body)))
	b = append(b, frameAnswer)
	b = binary.BigEndian.AppendUint64(b, a.id)
	b = append(b, byte(a.outcome))
	return append(b, a.body...)
}

func parseAnswer(b []byte) (answer, error) {
	if len(b) < answerHeader || len(b)-answerHeader > MaxBody || b[0] != frameAnswer {
		return answer{}, errFrame
	}
	return answer{id: binary.BigEndian.Uint64(b[1:]), outcome: outcome(b[9]), body: b[answerHeader:]}, nil
}

// readFrame reads one frame. What is allocated grows with the bytes that
// arrive, not with the length that is claimed.
func readFrame(r *bufio.Reader) ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(h[:])
	if size > maxFrameSize {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, size)
	}
	var b []byte
	for len(b) < int(size) {
		start := len(b)
		b = append(b, make([]byte, min(int(size)-start, readChunk))...)
		if _, err := io.ReadFull(r, b[start:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}
