/*
 * Conduit's protocols in numbers. Made by protocol/c-header.ts from the files named here (npm run protocol:header): change
 * those. Integers and strings only: freestanding C can include it.
 */
#ifndef CONDUIT_PROTOCOL_H
#define CONDUIT_PROTOCOL_H

/*
 * Xen's numbers.
 * xen/include/public/{xen,grant_table}.h; protocol/xen.ts
 */
#define CONDUIT_PAGE_BYTES 4096
#define CONDUIT_DOMID_FIRST_RESERVED 32752
#define CONDUIT_GREF_FIRST 8

/*
 * Byte offsets in the vchan control page.
 * xen/include/public/io/libxenvchan.h, struct vchan_interface; protocol/vchan-page.ts
 */
#define CONDUIT_VCHAN_OFFSET_LEFT_CONS 0
#define CONDUIT_VCHAN_OFFSET_LEFT_PROD 4
#define CONDUIT_VCHAN_OFFSET_RIGHT_CONS 8
#define CONDUIT_VCHAN_OFFSET_RIGHT_PROD 12
#define CONDUIT_VCHAN_OFFSET_LEFT_ORDER 16
#define CONDUIT_VCHAN_OFFSET_RIGHT_ORDER 18
#define CONDUIT_VCHAN_OFFSET_CLI_LIVE 20
#define CONDUIT_VCHAN_OFFSET_SRV_LIVE 21
#define CONDUIT_VCHAN_OFFSET_CLI_NOTIFY 22
#define CONDUIT_VCHAN_OFFSET_SRV_NOTIFY 23
#define CONDUIT_VCHAN_OFFSET_GRANTS 24

/*
 * Notify bits, live bytes, ring orders: 1 << order bytes, below ORDER_PAGE in the control page at that offset.
 * xen/include/public/io/libxenvchan.h, xen:tools/libs/vchan/init.c; protocol/vchan-page.ts
 */
#define CONDUIT_VCHAN_NOTIFY_WRITE 1
#define CONDUIT_VCHAN_NOTIFY_READ 2
#define CONDUIT_VCHAN_LIVE_DEAD 0
#define CONDUIT_VCHAN_LIVE_CONNECTED 1
#define CONDUIT_VCHAN_LIVE_AWAITED 2
#define CONDUIT_VCHAN_ORDER_SMALL 10
#define CONDUIT_VCHAN_ORDER_LARGE 11
#define CONDUIT_VCHAN_ORDER_PAGE 12
#define CONDUIT_VCHAN_ORDER_MAX 20

/*
 * End marks: 8 bytes behind the grant list, on the next 8-byte boundary.
 * protocol/vchan.md, End marks; protocol/vchan-page.ts
 */
#define CONDUIT_VCHAN_END_MARK_MAGIC_OFFSET 0
#define CONDUIT_VCHAN_END_MARK_VERSION_OFFSET 2
#define CONDUIT_VCHAN_END_MARK_CLIENT_OFFSET 4
#define CONDUIT_VCHAN_END_MARK_SERVER_OFFSET 5
#define CONDUIT_VCHAN_END_MARK_BYTES 8
#define CONDUIT_VCHAN_END_MARK_MAGIC 49361
#define CONDUIT_VCHAN_END_MARK_VERSION 1
#define CONDUIT_VCHAN_END_STATE_UNKNOWN 0
#define CONDUIT_VCHAN_END_STATE_OPEN 1
#define CONDUIT_VCHAN_END_STATE_ENDED 2

/*
 * Message types of the xenstore wire.
 * xen/include/public/io/xs_wire.h; protocol/xenstore-wire.ts
 */
#define CONDUIT_XS_TYPE_CONTROL 0
#define CONDUIT_XS_TYPE_DIRECTORY 1
#define CONDUIT_XS_TYPE_READ 2
#define CONDUIT_XS_TYPE_GET_PERMS 3
#define CONDUIT_XS_TYPE_WATCH 4
#define CONDUIT_XS_TYPE_UNWATCH 5
#define CONDUIT_XS_TYPE_TRANSACTION_START 6
#define CONDUIT_XS_TYPE_TRANSACTION_END 7
#define CONDUIT_XS_TYPE_INTRODUCE 8
#define CONDUIT_XS_TYPE_RELEASE 9
#define CONDUIT_XS_TYPE_GET_DOMAIN_PATH 10
#define CONDUIT_XS_TYPE_WRITE 11
#define CONDUIT_XS_TYPE_MKDIR 12
#define CONDUIT_XS_TYPE_RM 13
#define CONDUIT_XS_TYPE_SET_PERMS 14
#define CONDUIT_XS_TYPE_WATCH_EVENT 15
#define CONDUIT_XS_TYPE_ERROR 16
#define CONDUIT_XS_TYPE_IS_DOMAIN_INTRODUCED 17
#define CONDUIT_XS_TYPE_RESUME 18
#define CONDUIT_XS_TYPE_SET_TARGET 19
#define CONDUIT_XS_TYPE_RESET_WATCHES 21
#define CONDUIT_XS_TYPE_DIRECTORY_PART 22
#define CONDUIT_XS_TYPE_GET_FEATURE 23
#define CONDUIT_XS_TYPE_SET_FEATURE 24
#define CONDUIT_XS_TYPE_GET_QUOTA 25
#define CONDUIT_XS_TYPE_SET_QUOTA 26

/*
 * Limits and feature bits of the xenstore wire; its header is u32 type, req_id, tx_id, len.
 * xen/include/public/io/xs_wire.h; protocol/xenstore-wire.ts, protocol/xenstore-paths.ts
 */
#define CONDUIT_XS_HEADER_BYTES 16
#define CONDUIT_XS_PAYLOAD_MAX 4096
#define CONDUIT_XS_ABSOLUTE_PATH_MAX 3072
#define CONDUIT_XS_RELATIVE_PATH_MAX 2048
#define CONDUIT_XS_FEATURE_RECONNECT 1
#define CONDUIT_XS_FEATURE_ERROR 2
#define CONDUIT_XS_FEATURE_WATCH_DEPTH 4

/*
 * Places in xenstore; RELATIVE is below the domain's own path, libxenvchan cuts off after DIRECT_PATH_CHARS.
 * docs/architecture.md; protocol/conduit-paths.ts
 */
#define CONDUIT_PATH_ROOT "/conduit"
#define CONDUIT_PATH_DOMAINS "/local/domain"
#define CONDUIT_PATH_HOST_ID "/conduit/host-id"
#define CONDUIT_PATH_FLOWS "/conduit/flows"
#define CONDUIT_RELATIVE_MAILBOX "data/conduit"
#define CONDUIT_RELATIVE_VCHAN "data/vchan"
#define CONDUIT_KEY_RING_REF "ring-ref"
#define CONDUIT_KEY_EVENT_CHANNEL "event-channel"
#define CONDUIT_DIRECT_PATH_CHARS 49

/*
 * Control protocol of the local hypervisor: u16 type, u16 status, u32 sequence, u32 words.
 * protocol/local-control.ts
 */
#define CONDUIT_CONTROL_VERSION 1
#define CONDUIT_CONTROL_HEADER_BYTES 8
#define CONDUIT_CONTROL_MAX_BYTES 12316
#define CONDUIT_CONTROL_MAX_MAP_GREFS 1024
#define CONDUIT_CONTROL_NONE 0xffffffffu
#define CONDUIT_CONTROL_TYPE_ATTACH 1
#define CONDUIT_CONTROL_TYPE_GRANT 2
#define CONDUIT_CONTROL_TYPE_UNGRANT 3
#define CONDUIT_CONTROL_TYPE_MAP 4
#define CONDUIT_CONTROL_TYPE_UNMAP 5
#define CONDUIT_CONTROL_TYPE_LISTEN 6
#define CONDUIT_CONTROL_TYPE_BIND 7
#define CONDUIT_CONTROL_TYPE_CLOSE_PORT 8
#define CONDUIT_CONTROL_TYPE_XENSTORE 9
#define CONDUIT_CONTROL_TYPE_PEER 10
#define CONDUIT_CONTROL_TYPE_MAPPED 11
#define CONDUIT_CONTROL_TYPE_UNMAPPED 12
#define CONDUIT_CONTROL_TYPE_STORE_SOCKET 13
#define CONDUIT_CONTROL_STATUS_OK 0
#define CONDUIT_CONTROL_STATUS_BAD_GRANT 1
#define CONDUIT_CONTROL_STATUS_LIMIT 2
#define CONDUIT_CONTROL_STATUS_BAD_PORT 3
#define CONDUIT_CONTROL_STATUS_DOMID_TAKEN 4
#define CONDUIT_CONTROL_STATUS_BAD_VERSION 5
#define CONDUIT_CONTROL_STATUS_BAD_MESSAGE 6
#define CONDUIT_CONTROL_STATUS_NO_DESCRIPTORS 7

/*
 * Names in the runtime directory; a DOMAIN_STORE is followed by the domid.
 * protocol/local-control.ts
 */
#define CONDUIT_CONTROL_SOCKET_NAME "control"
#define CONDUIT_XENSTORE_SOCKET_NAME "socket"
#define CONDUIT_DOMAIN_STORE_PREFIX "xs"
#define CONDUIT_LOCK_FILE_NAME "lock"

#endif
