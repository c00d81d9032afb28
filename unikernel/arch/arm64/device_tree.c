/*
 * The flattened device tree, read once from front to back: devicetree-specification, chapter 5. Nothing in it is believed to
 * lie within it before it is checked.
 */
#include "arm64.h"

#include "../../text.h"

#define MAGIC 0xd00dfeedu
#define NODE_DEPTH 2 /* of the children of the root */

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4 };

struct reader {
    const uint8_t *tree;
    uint32_t at, end;         /* of the structure */
    uint32_t strings, strings_end;
    uint32_t depth;
    const char *node;         /* of the current child of the root */
    uint32_t address_cells, size_cells;
};

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint64_t cells(const uint8_t *bytes, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++)
        value = value << 32 | big_endian(bytes + 4 * i);
    return value;
}

/* Text at `at` that ends before `end`, with its length; NULL: it does not end. */
static const char *text_in(const struct reader *reader, uint32_t at, uint32_t end, uint32_t *length)
{
    for (uint32_t i = at; i < end; i++)
        if (reader->tree[i] == '\0') {
            *length = i - at;
            return (const char *)reader->tree + at;
        }
    return NULL;
}

static void take_range(const struct reader *reader, const uint8_t *value, uint32_t bytes, struct range *range)
{
    if (range->bytes != 0 || bytes < 4 * (reader->address_cells + reader->size_cells))
        return;
    range->start = cells(value, reader->address_cells);
    range->bytes = cells(value + 4 * reader->address_cells, reader->size_cells);
}

static void take_property(struct reader *reader, const char *name, const uint8_t *value, uint32_t bytes,
                          struct device_tree *found)
{
    if (reader->depth == NODE_DEPTH - 1 && bytes == 4 && text_equals(name, "#address-cells"))
        reader->address_cells = big_endian(value) & 3;
    else if (reader->depth == NODE_DEPTH - 1 && bytes == 4 && text_equals(name, "#size-cells"))
        reader->size_cells = big_endian(value) & 3;
    else if (reader->depth != NODE_DEPTH)
        return;
    else if (text_equals(name, "reg") && text_starts(reader->node, "memory@"))
        take_range(reader, value, bytes, &found->memory);
    else if (text_equals(name, "reg") && text_equals(reader->node, "hypervisor"))
        take_range(reader, value, bytes, &found->xen);
    else if (text_equals(name, "bootargs") && text_equals(reader->node, "chosen") && bytes > 0 && value[bytes - 1] == '\0')
        found->command_line = (const char *)value;
}

/* Steps over one token; false: the structure ends, or is none. */
static bool step(struct reader *reader, struct device_tree *found)
{
    uint32_t length;
    const char *name;
    if (reader->end - reader->at < 4)
        return false;
    const uint32_t token = big_endian(reader->tree + reader->at);
    reader->at += 4;
    switch (token) {
    case BEGIN_NODE:
        name = text_in(reader, reader->at, reader->end, &length);
        if (name == NULL)
            return false;
        if (++reader->depth == NODE_DEPTH)
            reader->node = name;
        reader->at += (length + 4) & ~3u;
        return reader->at <= reader->end;
    case END_NODE:
        return --reader->depth > 0;
    case PROPERTY: {
        if (reader->end - reader->at < 8)
            return false;
        const uint32_t bytes = big_endian(reader->tree + reader->at), string = big_endian(reader->tree + reader->at + 4);
        reader->at += 8;
        if (bytes > reader->end - reader->at || string >= reader->strings_end - reader->strings)
            return false;
        name = text_in(reader, reader->strings + string, reader->strings_end, &length);
        if (name == NULL)
            return false;
        take_property(reader, name, reader->tree + reader->at, bytes, found);
        reader->at += (bytes + 3) & ~3u;
        return reader->at <= reader->end;
    }
    default:
        return token == NOP;
    }
}

bool device_tree_read(const uint8_t *tree, struct device_tree *found)
{
    *found = (struct device_tree){.bytes = big_endian(tree + 4)};
    const uint32_t total = (uint32_t)found->bytes;
    const uint32_t structure = big_endian(tree + 8), structure_bytes = big_endian(tree + 36);
    const uint32_t strings = big_endian(tree + 12), strings_bytes = big_endian(tree + 32);
    if (big_endian(tree) != MAGIC || structure > total || structure_bytes > total - structure || structure % 4 != 0 ||
        strings > total || strings_bytes > total - strings)
        return false;
    struct reader reader = {
        .tree = tree,
        .at = structure,
        .end = structure + structure_bytes,
        .strings = strings,
        .strings_end = strings + strings_bytes,
        .node = "",
        .address_cells = 2,
        .size_cells = 1,
    };
    while (step(&reader, found))
        ;
    return found->memory.bytes != 0 && found->xen.bytes != 0;
}
